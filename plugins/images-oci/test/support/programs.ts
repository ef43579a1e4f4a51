/** Programs and kernel features that integration tests use. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from 'mocha';
import type { DiskImage } from '@a3s-box/core';
import { needs } from '../../../../test/support/skip.ts';

export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .some((directory) => existsSync(join(directory, name)));
}

/** Skips unless these programs are there. */
export function needPrograms(context: Context, ...names: string[]): void {
  for (const name of names) needs(context, hasProgram(name), name);
}

/** Skips unless this process may mount EROFS from loop devices. */
export function needErofsMounts(context: Context): void {
  const able =
    process.getuid?.() === 0 &&
    existsSync('/dev/loop-control') &&
    /\berofs\b/.test(readFileSync('/proc/filesystems', 'utf8'));
  needs(context, able, 'a kernel with EROFS and loop devices, and root');
}

/** Runs a program. @returns its output; throws with its stderr */
export function run(program: string, args: readonly string[], options: { cwd?: string } = {}): string {
  return execFileSync(program, args, {
    ...options,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
  });
}

/** Has fsck.erofs check a disk's file systems: the file itself, or the merged one with its layers as devices. */
export function fsck(disk: DiskImage): void {
  const [primary = disk.path, ...devices] = disk.extents ?? [];
  run('fsck.erofs', [...devices.map((device) => `--device=${device}`), primary]);
}

/** Mounts a disk read-only, as one flat device. Unmounted when disposed of. */
export function mounted(disk: DiskImage, directory: string): { path: string } & Disposable {
  let image = disk.path;
  if (disk.format === 'vmdk') {
    image = join(directory, 'flat.img');
    run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', disk.path, image]);
  }
  const path = join(directory, 'mount');
  mkdirSync(path, { recursive: true });
  run('mount', ['-t', 'erofs', '-o', 'loop,ro', image, path]);
  return { path, [Symbol.dispose]: () => void run('umount', [path]) };
}
