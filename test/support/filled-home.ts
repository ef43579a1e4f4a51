/** What the homes of end-to-end tests have from the start: the starter image, and what makes boxes quick. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fillFromSeed, isInKvmHost } from './host-seed.ts';
import { seedTemplates } from './templates.ts';

const STARTER = join(import.meta.dirname, '../../scripts/starter.ts');

/** Fills an empty home. @param templates whether boxes of the usual sizes are clones from the start */
export async function fillHome(home: string, templates = true): Promise<void> {
  if (isInKvmHost()) return fillFromSeed(home);
  if (templates) await seedTemplates(home);
  await promisify(execFile)(process.execPath, [STARTER], { env: { ...process.env, A3S_BOX_HOME: home } });
}
