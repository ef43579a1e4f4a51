/**
 * Builds the fuzz targets of guest-init by cargo alone: what cargo-fuzz would add are these flags. Instrumented for
 * coverage, with assertions and checks of arithmetic; without AddressSanitizer, whose runtime Debian's rustc has not.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ended, killOnAbort, startChild } from '../test/child.ts';
import type { FuzzTarget, PreparedTarget } from './targets.ts';

const FLAGS = [
  '--cfg=fuzzing',
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
  '-Cdebug-assertions',
  '-Coverflow-checks',
];

const FUZZ = 'guest-init/fuzz';

/** @throws with cargo's messages when the build fails or the signal fires */
export async function buildRustTargets(root: string, signal: AbortSignal): Promise<void> {
  const args = ['build', '--locked', '--release', '--bins', '--target', hostTarget(), '--color=never'];
  // Compiling at level 3 takes longer than what runs faster saves.
  // Flags are for the target only: build scripts and macros are not instrumented as long as a target is named.
  const env = {
    ...process.env,
    CARGO_ENCODED_RUSTFLAGS: FLAGS.join('\x1f'),
    RUSTC_BOOTSTRAP: '1',
    CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
  };
  const child = startChild('cargo', args, { cwd: join(root, FUZZ), env, stdio: ['ignore', 'ignore', 'pipe'] });
  using _ = killOnAbort(child, signal);
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const failure = await ended(child);
  if (failure !== undefined) throw new Error(`cargo build ended with ${failure}\n${output}`);
}

export function prepareRustTarget(root: string, target: FuzzTarget): PreparedTarget {
  return {
    target,
    program: join(root, FUZZ, 'target', hostTarget(), 'release', target.name),
    args: [],
    environment: {},
    corpora: [join(root, FUZZ, 'corpus', target.name)],
  };
}

function hostTarget(): string {
  const text = execFileSync('rustc', ['-vV'], { encoding: 'utf8' });
  const host = /^host: (\S+)$/m.exec(text)?.[1];
  if (host === undefined) throw new Error('rustc does not say its host');
  return host;
}
