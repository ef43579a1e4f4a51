/** The fuzz targets of the repository. */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface FuzzTarget {
  readonly name: string;
  /** `node` for plugins/X/fuzz/NAME.ts, `rust` for guest-init/fuzz/fuzz_targets/NAME.rs, `c` for native/fuzz/NAME.c. */
  readonly kind: 'node' | 'rust' | 'c';
  /** Relative to the root. */
  readonly file: string;
  /** Inputs that were findings once, relative to the root; every run begins with them. Unit tests run those of `node` too. */
  readonly cases: string;
}

/** How a target is run; what its command needs has been made. */
export interface PreparedTarget {
  readonly target: FuzzTarget;
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Read and not written. */
  readonly corpora: readonly string[];
  readonly dictionary?: string;
}

export const CARGO_MISSING = 'cargo is missing; `npm test` as root installs it';

export function fuzzTargets(root: string): FuzzTarget[] {
  const find = (pattern: string): string[] => globSync(pattern, { cwd: root }).sort();
  const node = ['core/fuzz/*.ts', 'plugins/*/fuzz/*.ts', 'backends/*/fuzz/*.ts']
    .flatMap(find)
    .map((file): FuzzTarget => {
      const name = basename(file, '.ts');
      return { name, kind: 'node', file, cases: join(file, '../cases', name) };
    });
  const rust = find('guest-init/fuzz/fuzz_targets/*.rs').map((file): FuzzTarget => {
    const name = basename(file, '.rs');
    return { name, kind: 'rust', file, cases: join('guest-init/fuzz/cases', name) };
  });
  const c = find('native/fuzz/*.c').map((file): FuzzTarget => {
    const name = basename(file, '.c');
    return { name, kind: 'c', file, cases: join('native/fuzz/cases', name) };
  });
  return [...node, ...rust, ...c];
}

/** Where a target's files are kept between runs. */
export function targetDirectory(root: string, { name }: FuzzTarget): string {
  return join(root, '.cache/fuzz', name);
}
