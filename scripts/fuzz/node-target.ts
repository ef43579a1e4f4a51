/** Makes a TypeScript fuzz target ready to be run by jazzer.js: one bundled file, seeds, a dictionary. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { targetDirectory, type FuzzTarget, type PreparedTarget } from './targets.ts';

/** What a target's module exports. */
export interface FuzzModule {
  /** Returns, or throws for a finding. */
  fuzz(input: Buffer): void | Promise<void>;
  /** Real inputs, made when they are asked for. */
  seeds(): Iterable<readonly [name: string, input: Buffer]>;
  /** Words of the format, one character a byte. */
  readonly dictionary?: readonly string[];
  /** Of the fuzzer's own detectors of faults, those that would be wrong. */
  readonly disabledDetectors?: readonly string[];
}

export async function prepareNodeTarget(root: string, target: FuzzTarget): Promise<PreparedTarget> {
  const directory = targetDirectory(root, target);
  const module = (await import(join(root, target.file))) as FuzzModule;
  const bundle = join(directory, 'target.cjs');
  // One file of our own code, which jazzer.js instruments; packages stay outside, and are not.
  await build({
    entryPoints: [join(root, target.file)],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    plugins: [packagesOutside],
    logLevel: 'error',
  });
  const seeds = join(directory, 'seeds');
  rmSync(seeds, { recursive: true, force: true });
  mkdirSync(seeds, { recursive: true });
  for (const [name, input] of module.seeds()) writeFileSync(join(seeds, name), input);
  const dictionary = join(directory, 'dictionary');
  writeFileSync(dictionary, (module.dictionary ?? []).map((word) => `"${escaped(word)}"\n`).join(''));
  const temporary = join(directory, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const isSync = module.fuzz.constructor.name !== 'AsyncFunction';
  const disabled = (module.disabledDetectors ?? []).flatMap((name) => ['--disable_bug_detectors', name]);
  const jazzer = join(root, 'node_modules/@jazzer.js/core/dist/cli.js');
  return {
    target,
    program: process.execPath,
    args: [
      jazzer,
      bundle,
      ...(isSync ? ['--sync'] : []),
      ...disabled,
      '--includes',
      bundle,
      '--timeout',
      '30000',
      '--',
    ],
    environment: { TMPDIR: temporary },
    corpora: [seeds],
    dictionary,
  };
}

/** Our own packages are part of what is fuzzed, those with native code apart. */
const packagesOutside: Plugin = {
  name: 'packages-outside',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^[^./]/ }, ({ path }) =>
      /^@a3s-box\/(?!native)/.test(path) || path.startsWith('node:') ? undefined : { path, external: true },
    ),
};

function escaped(word: string): string {
  return Buffer.from(word, 'latin1').reduce((text, byte) => `${text}\\x${byte.toString(16).padStart(2, '0')}`, '');
}
