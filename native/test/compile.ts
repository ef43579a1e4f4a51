import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Compiles a C program of this directory, static. @returns its path */
export function compile(name: string, directory: string): string {
  const output = join(directory, name);
  const source = join(import.meta.dirname, `${name}.c`);
  execFileSync(
    'cc',
    ['-static', '-O1', '-D_GNU_SOURCE', '-Wall', '-Werror', '-Wno-stringop-truncation', '-o', output, source],
    {
      stdio: 'inherit',
    },
  );
  return output;
}
