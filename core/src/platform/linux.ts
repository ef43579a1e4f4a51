import { posix } from 'node:path';
import { systemdUnit } from './autostart.js';
import { modeBits } from './mode-bits.js';
import type { HostPlatform } from './platform.js';

export const linux: HostPlatform = {
  name: 'linux',
  endpoint: (path) => path,
  // sun_path less its final zero.
  endpointPathLimit: 107,
  endpointsAreFiles: true,
  defaultHome: ({ userDirectory }) => posix.join(userDirectory, '.a3s-box'),
  systemDistribution: () => '/etc/a3s-box/distribution.json',
  access: modeBits,
  autostart: systemdUnit,
  bootId: () => process.getBuiltinModule('node:fs').readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  processMemory: proportionalSetSize,
};

const KIB = 1024;

async function proportionalSetSize(pid: number): Promise<number | undefined> {
  const { readFile } = process.getBuiltinModule('node:fs/promises');
  // Another user's process, or one that has ended, does not tell.
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const kib = /^Pss:\s+(\d+) kB$/m.exec(text)?.[1];
  return kib === undefined ? undefined : Number(kib) * KIB;
}
