import { BoxError } from '../errors/box-error.js';
import type { ContainerOptions } from './container-options.js';

/** All of Linux 6.12, in the order of their numbers (capability.h). */
export const ALL_CAPABILITIES: readonly string[] = [
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE',
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN',
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE',
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`));

/** What Docker gives to a container by default. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`));

const ALL = 'ALL';

/**
 * The capabilities of a container's processes, as Docker works them out: what is dropped counts over what is there by
 * default, and what is added over that.
 * @throws INVALID_ARGUMENT for a name that is no capability
 */
export function capabilitiesOf({ privileged, capAdd = [], capDrop = [] }: ContainerOptions): readonly string[] {
  const added = capAdd.map((name) => capabilityName(name, 'add'));
  const dropped = capDrop.map((name) => capabilityName(name, 'drop'));
  if (privileged === true) return ALL_CAPABILITIES;
  if (added.includes(ALL)) return ALL_CAPABILITIES.filter((name) => !dropped.includes(name));
  const kept = dropped.includes(ALL) ? [] : DEFAULT_CAPABILITIES.filter((name) => !dropped.includes(name));
  return [...new Set([...kept, ...added])];
}

/** With `CAP_`, in upper case. @throws INVALID_ARGUMENT */
export function capabilityName(given: string, purpose: 'add' | 'drop'): string {
  const upper = given.trim().toUpperCase();
  if (upper === ALL) return ALL;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (ALL_CAPABILITIES.includes(name)) return name;
  throw new BoxError('INVALID_ARGUMENT', `capability "${given}" to ${purpose} is not known`, {
    hint: 'give a name of capabilities(7), such as NET_ADMIN, or ALL',
  });
}
