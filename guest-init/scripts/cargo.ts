/** Builds guest-init by cargo so that the executable says nothing of the machine it was built on. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type GuestArchitecture, type GuestInitManifest, sourcesDigest } from '../index.js';

const root = join(import.meta.dirname, '..');
/** Rust's standard library and crates show their paths in panic messages. */
const flags = ['-Ctarget-feature=+crt-static', '-Crelocation-model=static'];

interface Target {
  readonly triple: string;
  /** Debian's, for a machine with another processor. */
  readonly crossLinker: string;
}

export const TARGETS: Readonly<Record<GuestArchitecture, Target>> = {
  x86_64: { triple: 'x86_64-unknown-linux-gnu', crossLinker: 'x86_64-linux-gnu-gcc' },
  aarch64: { triple: 'aarch64-unknown-linux-gnu', crossLinker: 'aarch64-linux-gnu-gcc' },
};
const HOSTS: Readonly<Partial<Record<NodeJS.Architecture, GuestArchitecture>>> = { x64: 'x86_64', arm64: 'aarch64' };
export const HOST = HOSTS[process.arch];

export interface Built {
  readonly binary: Buffer;
  readonly manifest: GuestInitManifest;
}

export function cargoIsThere(): boolean {
  return spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** The compiler that has a standard library for the target: the first in PATH, or Debian's. Throws when there is none. */
function compilerFor(triple: string): string {
  const compilers = ['rustc', '/usr/bin/rustc'].filter((rustc) => {
    const { status, stdout } = spawnSync(rustc, ['--print', 'target-libdir', '--target', triple], { encoding: 'utf8' });
    return status === 0 && existsSync(stdout.trim());
  });
  if (compilers[0] !== undefined) return compilers[0];
  throw new Error(`guest-init: no Rust compiler for ${triple} is installed; README.md says which packages bring it`);
}

/** Throws when cargo fails; its messages go to stderr. */
export function cargoBuild(architecture: GuestArchitecture): Built {
  const { triple: target, crossLinker } = TARGETS[architecture];
  const rustc = compilerFor(target);
  const cargoHome = process.env['CARGO_HOME'] ?? join(homedir(), '.cargo');
  const sysroot = execFileSync(rustc, ['--print', 'sysroot'], { encoding: 'utf8' }).trim();
  const remap = [
    [cargoHome, '/cargo'],
    [sysroot, '/rust'],
    [root, '/guest-init'],
  ].map(([from, to]) => `--remap-path-prefix=${from}=${to}`);
  execFileSync('cargo', ['build', '--release', '--locked', '--bin', 'guest-init', '--target', target], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      RUSTC: rustc,
      ...(architecture !== HOST && {
        [`CARGO_TARGET_${target.toUpperCase().replaceAll('-', '_')}_LINKER`]: crossLinker,
      }),
      CARGO_ENCODED_RUSTFLAGS: [...flags, ...remap].join('\x1f'),
      SOURCE_DATE_EPOCH: '0',
    },
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
      rustc: execFileSync(rustc, ['--version'], { encoding: 'utf8' }).trim(),
    },
  };
}
