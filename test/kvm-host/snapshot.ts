/** The booted host, as files: memory, the state of the devices, and the disks that its page cache knows. */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { sampleTsc, tscKhz } from '@a3s-box/native';
import { baseImage, type BaseImage } from './base-image.ts';
import { COMPILE_CACHE } from './compile-cache.ts';
import { hostInitramfs } from './initramfs.ts';
import { Machine, machineShape, type MachineFiles } from './machine.ts';

const run = promisify(execFile);
const GIB = 2 ** 30;
/** Of the toolchain, what compiles: it is half of it, and the host has no use for it. */
const TOOLCHAIN_LEFT_OUT = ['zig'];
/** Of the toolchain, what is made on this machine. */
const SHARE_SERVER = '.toolchain/virtiofsd/bin/virtiofsd';
/** Sizes that the guest sees. The files are sparse. */
export const PROJECT_BYTES = GIB;
export const SCRATCH_BYTES = 16 * GIB;
const BOOT_LIMIT_MS = 120_000;
/** A busy machine may be too slow for the guest's own limits once. */
const BOOT_ATTEMPTS = 2;

export interface Snapshot {
  readonly directory: string;
  readonly state: string;
  readonly memory: string;
  readonly base: BaseImage;
}

/** Paths of the disks that belong to a snapshot. */
export function snapshotDisks({ directory, base }: Pick<Snapshot, 'directory' | 'base'>): {
  readonly base: string;
  readonly toolchain: string;
  readonly modules: string;
} {
  return { base: base.root, toolchain: join(directory, 'toolchain.erofs'), modules: join(directory, 'modules.erofs') };
}

/** Makes the snapshot unless there is one for everything that shapes it. */
export async function hostSnapshot(root: string, say: (line: string) => void): Promise<Snapshot> {
  const cache = join(root, '.cache/kvm-host');
  const base = await baseImage(cache, say);
  await ensureKeys(cache);
  const keys = {
    hostKey: await readFile(join(cache, 'host-key'), 'utf8'),
    authorizedKey: await readFile(join(cache, 'key.pub'), 'utf8'),
  };
  const initramfs = await hostInitramfs(base, keys);
  const khz = await counterFrequency();
  const directory = join(cache, `snapshot-${snapshotKey(root, base, initramfs, khz)}`);
  const snapshot = { directory, base, state: join(directory, 'state'), memory: join(directory, 'memory') };
  if (existsSync(directory)) return snapshot;
  say('kvm-host: booting the host for its snapshot (once for each set of dependencies; half a minute)');
  await removeOld(cache, base);
  const partial = await mkdtemp(join(cache, 'partial-'));
  try {
    await writeFile(join(partial, 'initramfs'), initramfs);
    await Promise.all([
      erofs(join(partial, 'toolchain.erofs'), join(root, '.toolchain'), TOOLCHAIN_LEFT_OUT),
      erofs(join(partial, 'modules.erofs'), join(root, 'node_modules')),
    ]);
    await bootAndSave(partial, base, khz);
    await rename(partial, directory);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return snapshot;
}

/** An EROFS image of a directory. */
export async function erofs(image: string, directory: string, exclude: readonly string[] = []): Promise<void> {
  const options = exclude.map((path) => `--exclude-path=${path}`);
  await run('mkfs.erofs', ['--quiet', '-x-1', '--preserve-mtime', '--all-root', ...options, image, directory]);
}

async function bootAndSave(directory: string, base: BaseImage, khz: number): Promise<void> {
  const memory = join(directory, 'memory');
  const project = join(directory, 'project-place');
  const scratch = join(directory, 'scratch-place');
  await writeFile(project, '');
  await truncate(project, PROJECT_BYTES);
  await writeFile(scratch, '');
  await truncate(scratch, SCRATCH_BYTES);
  const files: MachineFiles = { memory, disks: { ...snapshotDisks({ directory, base }), project, scratch } };
  const boot = { kernel: base.kernel, initramfs: join(directory, 'initramfs'), tscKhz: khz };
  for (let attempt = 1; ; attempt++) {
    await rm(memory, { force: true });
    await using machine = await Machine.start({ ...files, boot, consoleLog: join(directory, 'console.log') });
    try {
      await machine.ready(BOOT_LIMIT_MS);
      await machine.save(join(directory, 'state'));
      break;
    } catch (error) {
      const console = await readFile(join(directory, 'console.log'), 'utf8');
      if (attempt === BOOT_ATTEMPTS) throw new Error(`the KVM host does not boot:\n${console}`, { cause: error });
    }
  }
  await Promise.all([project, scratch].map((file) => rm(file)));
}

function snapshotKey(root: string, base: BaseImage, initramfs: Buffer, khz: number): string {
  const qemu = realpathSync('/usr/bin/qemu-system-x86_64');
  const { size, mtimeMs } = statSync(qemu);
  const hash = createHash('sha256').update(JSON.stringify([base.key, machineShape(), khz, qemu, size, mtimeMs]));
  hash.update(initramfs);
  // Node.js and npm; libkrun, libkrunfw and all else of npm's; the server of files, where there is one.
  for (const lock of ['.toolchain/package-lock.json', 'node_modules/.package-lock.json'])
    hash.update(readFileSync(join(root, lock)));
  const server = join(root, SHARE_SERVER);
  hash.update(JSON.stringify([TOOLCHAIN_LEFT_OUT, existsSync(server) ? digestOf(server) : 'none']));
  return hash.digest('hex').slice(0, 16);
}

function digestOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** kHz of the counter, in steps that two measurements of one machine do not differ by. */
async function counterFrequency(): Promise<number> {
  const first = sampleTsc();
  await new Promise((resolve) => setTimeout(resolve, 50));
  return Math.round(tscKhz(first, sampleTsc()) / 1000) * 1000;
}

/** Everybody who can read the checkout's cache may enter its host; the ports are those of this machine alone. */
async function ensureKeys(cache: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  for (const name of ['key', 'host-key']) {
    if (existsSync(join(cache, `${name}.pub`))) continue;
    const fresh = join(cache, `${name}-${randomUUID()}`);
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'kvm-host', '-f', fresh]);
    await rename(fresh, join(cache, name));
    await rename(`${fresh}.pub`, join(cache, `${name}.pub`));
  }
}

/** Snapshots of other dependencies, base images of other package lists, and a compile cache that has grown. Hosts that run have their files open. */
async function removeOld(cache: string, base: BaseImage): Promise<void> {
  for (const name of await readdir(cache)) {
    const isOld =
      name.startsWith('snapshot-') ||
      name === basename(COMPILE_CACHE) ||
      (name.startsWith('base-') && name !== `base-${base.key}`);
    if (isOld) await rm(join(cache, name), { recursive: true });
  }
}
