/** What the homes of end-to-end tests have from the start: the starter image, and what makes boxes quick. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fillFromSeed, isInKvmHost, sharedHome } from './host-seed.ts';
import { seedTemplates } from './templates.ts';
import { tempHome, type TempHome } from './temp-home.ts';

const STARTER = join(import.meta.dirname, '../../scripts/starter.ts');

/** A filled home; in the KVM host the one that the process's files share. @param stop ends a home's boxes and supervisor */
export async function filledHome(stop: (home: string) => Promise<void>): Promise<TempHome> {
  if (isInKvmHost()) return sharedHome(stop);
  const home = await tempHome();
  try {
    await fillHome(home.path);
    return home;
  } catch (error) {
    await stop(home.path);
    await home[Symbol.asyncDispose]();
    throw error;
  }
}

/** Fills an empty home. @param templates whether boxes of the usual sizes are clones from the start */
export async function fillHome(home: string, templates = true): Promise<void> {
  if (isInKvmHost()) return fillFromSeed(home);
  if (templates) await seedTemplates(home);
  await promisify(execFile)(process.execPath, [STARTER], { env: { ...process.env, A3S_BOX_HOME: home } });
}
