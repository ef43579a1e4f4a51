/** The initramfs of the host: what finds the base image, and what this checkout adds to it. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { cpioArchive, type CpioEntry } from '../../core/dist/vm/assets/cpio.js';
import type { BaseImage } from './base-image.ts';

const GUEST = join(import.meta.dirname, 'guest');
/** Where the files of the host's own are in it. */
const OWN = 'kvm-host';

/** The files of the host's own: its scripts, and the keys by which it is reached. */
export interface HostKeys {
  readonly hostKey: string;
  readonly authorizedKey: string;
}

/** @returns the archive; equal for equal input */
export async function hostInitramfs(base: BaseImage, keys: HostKeys): Promise<Buffer> {
  const files = new Map<string, { readonly mode: number; readonly data: Uint8Array }>();
  files.set('init', { mode: 0o755, data: await readFile(join(GUEST, 'init')) });
  files.set('bin/busybox', { mode: 0o755, data: await readFile(base.busybox) });
  for (const name of ['start', 'activate', 'sshd_config'])
    files.set(`${OWN}/${name}`, { mode: 0o755, data: await readFile(join(GUEST, name)) });
  files.set(`${OWN}/host-key`, { mode: 0o600, data: Buffer.from(keys.hostKey) });
  files.set(`${OWN}/authorized-key`, { mode: 0o600, data: Buffer.from(keys.authorizedKey) });
  for (const path of (await readdir(base.earlyModules, { recursive: true, encoding: 'utf8' })).sort()) {
    const file = join(base.earlyModules, path);
    if ((await stat(file)).isFile())
      files.set(relative(base.earlyModules, file), { mode: 0o644, data: await readFile(file) });
  }
  const directories = new Set(['bin', 'dev', 'proc', 'sys', 'sbin', 'usr', 'usr/bin', 'usr/sbin']);
  for (const name of files.keys())
    for (let parent = dirname(name); parent !== '.'; parent = dirname(parent)) directories.add(parent);
  const entries: CpioEntry[] = [...directories].sort().map((name) => ({ kind: 'directory', name, mode: 0o755 }));
  for (const [name, { mode, data }] of files) entries.push({ kind: 'file', name, mode, data });
  return cpioArchive([...entries, { kind: 'character-device', name: 'dev/console', mode: 0o600, major: 5, minor: 1 }]);
}
