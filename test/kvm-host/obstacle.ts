import { existsSync } from 'node:fs';
import { join } from 'node:path';

const PROGRAMS = ['qemu-system-x86_64', 'mmdebstrap', 'mkfs.erofs', 'mke2fs', 'ssh', 'setpriv'];

/** Why this machine can have no host; undefined when it can. */
export function hostObstacle(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the KVM host needs Linux on x86-64';
  if (process.getuid?.() !== 0) return "making the KVM host's root file system needs root";
  const directories = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':');
  const missing = PROGRAMS.filter((name) => !directories.some((directory) => existsSync(join(directory, name))));
  return missing.length === 0 ? undefined : `missing: ${missing.join(', ')}; \`npm test\` as root installs them`;
}
