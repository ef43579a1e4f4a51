/** Compiles the recording libkrun. README.md says what it is. */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';

/** How a build differs from libkrun 1.17.4. */
export type Variation = 'WITHOUT_BLK' | 'WITHOUT_NET' | 'WITHOUT_SET_KERNEL' | 'WITH_VIRTIOFS3';

export interface RecordingOptions {
  readonly variations?: readonly Variation[];
  /** What `LOG` and `REAL` are where the process has no such variables (README.md). */
  readonly defaults?: { readonly log: string; readonly real: string };
  /** File name; default `libkrun.so.1.17.4`. */
  readonly name?: string;
  /** The compiler, with options that come before all others; default `cc`. */
  readonly compiler?: readonly [program: string, ...options: string[]];
  /** Options for the linker; default those of Linux. */
  readonly linker?: readonly string[];
}

/** @returns the library's absolute path, below `directory` */
export function buildRecordingLibkrun(directory: string, options: RecordingOptions = {}): string {
  const output = join(directory, options.name ?? 'libkrun.so.1.17.4');
  const [program, ...target] = options.compiler ?? ['cc'];
  const linker = options.linker ?? ['-Wl,-soname,libkrun.so.1', '-ldl'];
  const { variations = [], defaults } = options;
  const values = defaults ? [`DEFAULT_LOG="${defaults.log}"`, `DEFAULT_REAL="${defaults.real}"`] : [];
  const defines = [...variations, ...values].map((define) => `-D${define}`);
  const flags = ['-shared', '-fPIC', '-fvisibility=hidden', '-std=gnu11', '-D_GNU_SOURCE', '-O1'];
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  const sources = globSync('*.c', { cwd: import.meta.dirname }).map((name) => join(import.meta.dirname, name));
  const command = [...target, ...flags, ...warnings, ...defines, '-o', output, ...sources, ...linker];
  execFileSync(program, command, { stdio: 'inherit' });
  return output;
}
