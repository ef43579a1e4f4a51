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
};
