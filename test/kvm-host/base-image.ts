/** The host's operating system: Debian's packages in an EROFS image, beside its kernel. Made once, kept in the cache. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const HOOK = join(import.meta.dirname, 'guest/kernel-hook.sh');
const SUITE = 'bookworm';
/** With the libraries that libkrun and the server of files are linked with, libcap-ng0 and libseccomp2. */
const PACKAGES = [
  'busybox-static',
  'ca-certificates',
  'e2fsprogs',
  'iproute2',
  'kmod',
  'libcap-ng0',
  'libseccomp2',
  'openssh-server',
  'procps',
  'qemu-system-x86',
];
/** What the initramfs loads to reach the root, with what these need. */
const EARLY_MODULES = ['virtio_pci', 'virtio_blk', 'erofs', 'overlay', 'crc32c-intel'];
const MODULE_LISTS = ['modules.dep', 'modules.alias', 'modules.softdep', 'modules.symbols', 'modules.builtin'];
const LEFT_OUT = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];

export interface BaseImage {
  /** Changes with everything that it is made from. */
  readonly key: string;
  readonly root: string;
  readonly kernel: string;
  readonly busybox: string;
  /** A directory with the modules of the initramfs, as it is to appear there below /. */
  readonly earlyModules: string;
}

/**
 * Makes the base image unless it is there. Needs root, mmdebstrap, erofs-utils and Debian's mirror.
 * @param cache directory that is kept from run to run @param say is told what takes long
 */
export async function baseImage(cache: string, say: (line: string) => void): Promise<BaseImage> {
  const inputs = JSON.stringify([SUITE, PACKAGES, EARLY_MODULES, MODULE_LISTS, LEFT_OUT, process.arch]);
  const key = createHash('sha256').update(inputs).update(readFileSync(HOOK)).digest('hex').slice(0, 16);
  const directory = join(cache, `base-${key}`);
  if (!existsSync(directory)) {
    say('kvm-host: making a Debian root file system (once; a minute or two)');
    await mkdir(cache, { recursive: true });
    const partial = await mkdtemp(join(cache, 'partial-'));
    try {
      await fill(partial);
      await rename(partial, directory);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }
  return {
    key,
    root: join(directory, 'root.erofs'),
    kernel: join(directory, 'vmlinuz'),
    busybox: join(directory, 'busybox'),
    earlyModules: join(directory, 'early'),
  };
}

async function fill(directory: string): Promise<void> {
  const root = join(directory, 'root');
  const options = ['--quiet', '--variant=minbase', '--format=directory', `--include=${PACKAGES.join()}`];
  const excluded = LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`);
  const apt = '--aptopt=APT::Install-Recommends "false"';
  await run('mmdebstrap', [...options, ...excluded, apt, `--customize-hook=${HOOK}`, SUITE, root], {
    maxBuffer: 64 * 2 ** 20,
  });
  await rename(join(root, 'vmlinuz'), join(directory, 'vmlinuz'));
  await cp(join(root, 'usr/bin/busybox'), join(directory, 'busybox')).catch(() =>
    cp(join(root, 'bin/busybox'), join(directory, 'busybox')),
  );
  await copyEarlyModules(root, join(directory, 'early'));
  await run('mkfs.erofs', ['--quiet', '-x-1', join(directory, 'root.erofs'), root]);
  await rm(root, { recursive: true });
}

async function copyEarlyModules(root: string, to: string): Promise<void> {
  const modules = join(root, 'usr/lib/modules');
  const [version = ''] = (await run('ls', [modules])).stdout.trim().split('\n');
  const dependencies = await readFile(join(modules, version, 'modules.dep'), 'utf8');
  const wanted = new Set(MODULE_LISTS);
  for (const line of dependencies.split('\n')) {
    const [module = '', needs = ''] = line.split(':');
    if (!EARLY_MODULES.some((name) => module.endsWith(`/${name}.ko`))) continue;
    for (const path of [module, ...needs.trim().split(' ')]) if (path !== '') wanted.add(path);
  }
  for (const path of wanted) {
    const target = join(to, 'lib/modules', version, path);
    await mkdir(dirname(target), { recursive: true });
    await cp(join(modules, version, path), target);
  }
}
