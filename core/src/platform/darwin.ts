import { posix } from 'node:path';
import { launchAgent } from './autostart.js';
import { modeBits } from './mode-bits.js';
import type { HostPlatform } from './platform.js';

export const darwin: HostPlatform = {
  name: 'darwin',
  endpoint: (path) => path,
  // sun_path has 104 bytes there.
  endpointPathLimit: 103,
  endpointsAreFiles: true,
  // Not below Library/Application Support, which is too long for the sockets.
  defaultHome: ({ userDirectory }) => posix.join(userDirectory, '.a3s-box'),
  systemDistribution: () => '/Library/Application Support/a3s-box/distribution.json',
  access: modeBits,
  processMemory: async () => undefined,
  autostart: launchAgent,
  bootId: () =>
    process
      .getBuiltinModule('node:child_process')
      .execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' })
      .trim(),
};
