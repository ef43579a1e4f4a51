/** What keeps libkrun from running guests on this machine, each with what would change it. */
import {
  extractKernel,
  probeLibkrun,
  supportsInitramfs,
  type Libkrun,
  type VirtualisationProbe,
} from '@a3s-box/native';

const INSTALL =
  'install libkrun 1.17 or a later 1.x, or the npm package @earendil-works/gondolin-krun-runner-linux-x64';

/** @param given absolute path from the plugin's settings */
export function findLibkrun(given?: string): { readonly libkrun: Libkrun } | { readonly obstacle: string } {
  const probe = probeLibkrun({ ...(given !== undefined && { given }), needsNet: true });
  switch (probe.kind) {
    case 'usable':
      return probe;
    case 'missing':
      return { obstacle: `libkrun is not there: looked in ${probe.searched.join(', ')} (${INSTALL})` };
    case 'unloadable':
      return { obstacle: `libkrun cannot be loaded: ${probe.reason} (Debian: apt install libcap-ng0)` };
    case 'too-old': {
      const version = probe.version === undefined ? '' : ` (version ${probe.version})`;
      return { obstacle: `${probe.path}${version} is too old: it has no ${probe.missing.join(', ')} (${INSTALL})` };
    }
    case 'without-feature':
      return {
        obstacle: `${probe.path} was built without ${probe.feature} (install a libkrun that was built with BLK=1 NET=1)`,
      };
  }
}

/** @param libkrunfw absolute path of the library that the kernel comes from */
export function kernelObstacle(libkrunfw: string | undefined): string | undefined {
  if (libkrunfw === undefined) return 'there is no libkrunfw to take a kernel from (run npm install again)';
  if (supportsInitramfs(extractKernel(libkrunfw).image)) return undefined;
  return `the kernel of ${libkrunfw} takes no initramfs (use one that was built with CONFIG_BLK_DEV_INITRD)`;
}

export function kvmObstacle(probe: VirtualisationProbe): string | undefined {
  switch (probe.kind) {
    case 'usable':
      return undefined;
    case 'no-hardware':
      return `${probe.reason} (switch virtualisation on in the firmware, or nested virtualisation in the host)`;
    case 'no-device':
      return `${probe.device} is not there (load the module kvm_intel or kvm_amd)`;
    case 'no-permission':
      return permissionObstacle(probe.device, probe.group);
    case 'broken':
      return `KVM cannot be used: ${probe.reason} (look into the kernel's log)`;
    case 'switched-off':
    case 'unsupported-system':
      return 'this system has no KVM (use the backend of your system)';
  }
}

function permissionObstacle(device: string, group: number | undefined): string {
  const remedy =
    process.geteuid?.() === 0
      ? `give it to a group: chgrp kvm ${device} && chmod 660 ${device}`
      : `become a member of its group${group === undefined ? '' : ` (${group})`}: usermod -aG kvm USER, and log in again`;
  return `${device} cannot be opened by the user that a VMM runs as (${remedy})`;
}
