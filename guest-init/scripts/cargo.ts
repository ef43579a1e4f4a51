/** Builds guest-init by cargo so that the executable says nothing of the machine it was built on. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type GuestInitManifest, sourcesDigest } from '../index.js';

const root = join(import.meta.dirname, '..');
/** Rust's standard library and crates show their paths in panic messages. */
const flags = ['-Ctarget-feature=+crt-static', '-Crelocation-model=static'];

export interface Built {
  readonly binary: Buffer;
  readonly manifest: GuestInitManifest;
}

export function cargoIsThere(): boolean {
  return spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Throws when cargo fails; its messages go to stderr. */
export function cargoBuild(target: string): Built {
  const cargoHome = process.env['CARGO_HOME'] ?? join(homedir(), '.cargo');
  const sysroot = execFileSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' }).trim();
  const remap = [
    [cargoHome, '/cargo'],
    [sysroot, '/rust'],
    [root, '/guest-init'],
  ].map(([from, to]) => `--remap-path-prefix=${from}=${to}`);
  execFileSync('cargo', ['build', '--release', '--locked', '--bin', 'guest-init', '--target', target], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, CARGO_ENCODED_RUSTFLAGS: [...flags, ...remap].join('\x1f'), SOURCE_DATE_EPOCH: '0' },
  });
  const binary = readFileSync(join(root, 'target', target, 'release/guest-init'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const sources = sourcesDigest();
  if (sources === undefined) throw new Error('guest-init: the sources are not there');
  return {
    binary,
    manifest: {
      sha256: createHash('sha256').update(binary).digest('hex'),
      sources,
      version,
      rustc: execFileSync('rustc', ['--version'], { encoding: 'utf8' }).trim(),
    },
  };
}
