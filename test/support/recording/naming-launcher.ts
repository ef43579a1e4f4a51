/** Compiles the launcher as it is on systems where nothing is inherited (macOS), for this one. */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';

const sources = join(import.meta.dirname, '../../../native/launcher/krun');
/** Of the other system, and what gives inherited descriptors a meaning on Linux. */
const LEFT_OUT = new Set(['platform_windows.c', 'inherited.c']);

/** @returns the launcher's absolute path, below `directory` */
export function buildNamingLauncher(directory: string): string {
  const program = join(directory, 'a3s-box-krun');
  const files = globSync('*.c', { cwd: sources })
    .filter((name) => !LEFT_OUT.has(name))
    .map((name) => join(sources, name));
  execFileSync('cc', ['-std=gnu11', '-O1', '-D_GNU_SOURCE', '-o', program, ...files, '-ldl'], { stdio: 'inherit' });
  return program;
}
