/** Builds the gateway by cargo so that the executable says nothing of the machine it was built on. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { sourcesDigest, type GatewayManifest } from '../dist/gateway-binary.js';

const root = join(import.meta.dirname, '../gateway');
const TARGETS: Partial<Record<NodeJS.Architecture, string>> = { x64: 'x86_64-unknown-linux-gnu' };
const flags = ['-Ctarget-feature=+crt-static', '-Crelocation-model=static'];

export interface Built {
  readonly binary: Buffer;
  readonly manifest: GatewayManifest;
}

/** Whether this machine can build it. */
export function canBuild(): boolean {
  return TARGETS[process.arch] !== undefined && spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Throws when cargo fails; its messages go to stderr. */
export function cargoBuild(): Built {
  const target = TARGETS[process.arch];
  const sources = sourcesDigest();
  if (target === undefined || sources === undefined) throw new Error('gateway: cannot be built here');
  const cargoHome = process.env['CARGO_HOME'] ?? join(homedir(), '.cargo');
  const sysroot = execFileSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' }).trim();
  const remap = [
    [cargoHome, '/cargo'],
    [sysroot, '/rust'],
    [root, '/gateway'],
  ].map(([from, to]) => `--remap-path-prefix=${from}=${to}`);
  execFileSync('cargo', ['build', '--release', '--locked', '--bin', 'a3s-box-gateway', '--target', target], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, CARGO_ENCODED_RUSTFLAGS: [...flags, ...remap].join('\x1f'), SOURCE_DATE_EPOCH: '0' },
  });
  const binary = readFileSync(join(root, 'target', target, 'release/a3s-box-gateway'));
  const rustc = execFileSync('rustc', ['--version'], { encoding: 'utf8' }).trim();
  return { binary, manifest: { sha256: createHash('sha256').update(binary).digest('hex'), sources, rustc } };
}
