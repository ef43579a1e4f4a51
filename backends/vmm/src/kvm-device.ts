import { readFileSync, statSync, type Stats } from 'node:fs';

const DEVICE = '/dev/kvm';
const GROUP_READ_WRITE = 0o060;
const OTHERS_READ_WRITE = 0o006;

/**
 * Why KVM cannot be used here; undefined when it seems usable. A device that opens proves nothing: some hosts offer one
 * on which no ordinary kernel ever starts, and those show no virtualisation flag.
 */
export function kvmObstacle(): string | undefined {
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'latin1'))) {
    return 'the CPU shows neither vmx nor svm';
  }
  const status = statSync(DEVICE, { throwIfNoEntry: false });
  if (status === undefined) return `${DEVICE} is not there (load the module kvm_intel or kvm_amd)`;
  return mayOpen(status) ? undefined : `${DEVICE} cannot be opened by the user that a VMM runs as`;
}

/** A VMM that root starts opens the device as another user: through its group, or as anybody. */
function mayOpen({ mode, uid, gid }: Stats): boolean {
  if ((mode & OTHERS_READ_WRITE) === OTHERS_READ_WRITE) return true;
  const groupMay = (mode & GROUP_READ_WRITE) === GROUP_READ_WRITE;
  if (process.geteuid?.() === 0) return groupMay && gid !== 0;
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  return (groupMay && groups.includes(gid)) || uid === process.geteuid?.();
}

/** Supplementary groups that a VMM needs for the device; only where it is not open to everybody. */
export function kvmGroups(): number[] {
  const { mode, gid } = statSync(DEVICE);
  const isRoot = process.geteuid?.() === 0;
  return isRoot && (mode & OTHERS_READ_WRITE) !== OTHERS_READ_WRITE ? [gid] : [];
}
