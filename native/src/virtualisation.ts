import { readFileSync, statSync, type Stats } from 'node:fs';
import { addon } from './addon.js';

const GROUP_READ_WRITE = 0o060;
const OTHERS_READ_WRITE = 0o006;
/** The only version that there has been since 2007; others are refused, as the interface's description asks. */
const KVM_API_VERSION = 12;
const ENOENT = 2;
const EPERM = 1;
const EACCES = 13;

/** Whether this machine can run guests in hardware, or why not. `usable` proves no boot: some hosts offer a broken KVM. */
export type VirtualisationProbe =
  | { readonly kind: 'usable'; readonly maxVcpus?: number }
  /** The processor, or the machine that this one is a guest of, offers none. */
  | { readonly kind: 'no-hardware'; readonly reason: string }
  | { readonly kind: 'no-device'; readonly device: string }
  /** `group`: whose members may open the device. */
  | { readonly kind: 'no-permission'; readonly device: string; readonly group?: number }
  | { readonly kind: 'broken'; readonly reason: string }
  /** Hypervisor.framework or the Windows Hypervisor Platform is not there, or not switched on. */
  | { readonly kind: 'switched-off' }
  | { readonly kind: 'unsupported-system' };

export interface KvmProbeOptions {
  /** Default `/dev/kvm`. */
  readonly device?: string;
  /** What /proc/cpuinfo says, in tests. */
  readonly cpuinfo?: string;
}

/** Asks this system: KVM on Linux, Hypervisor.framework on macOS, the Hypervisor Platform on Windows. Starts nothing. */
export function probeVirtualisation(options: KvmProbeOptions = {}): VirtualisationProbe {
  if (process.platform === 'linux') return probeKvm(options);
  if (process.platform !== 'darwin' && process.platform !== 'win32') return { kind: 'unsupported-system' };
  return addon().hypervisorSupport() ? { kind: 'usable' } : { kind: 'switched-off' };
}

/** Supplementary groups that a VMM of another user needs for the device; only where it is not open to everybody. */
export function kvmGroups(device = '/dev/kvm'): number[] {
  const { mode, gid } = statSync(device);
  const isRoot = process.geteuid?.() === 0;
  return isRoot && (mode & OTHERS_READ_WRITE) !== OTHERS_READ_WRITE ? [gid] : [];
}

function probeKvm({ device = '/dev/kvm', cpuinfo }: KvmProbeOptions): VirtualisationProbe {
  const status = statSync(device, { throwIfNoEntry: false });
  if (status === undefined) return { kind: 'no-device', device };
  // An arm64 processor does not say; there the device is there only where it works.
  if (
    process.arch === 'x64' &&
    !/^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo ?? readFileSync('/proc/cpuinfo', 'latin1'))
  ) {
    return { kind: 'no-hardware', reason: 'the processor shows neither vmx nor svm' };
  }
  const group = (status.mode & GROUP_READ_WRITE) === GROUP_READ_WRITE ? { group: status.gid } : {};
  if (!vmmMayOpen(status)) return { kind: 'no-permission', device, ...group };
  try {
    const { apiVersion, maxVcpus } = addon().openKvm(device);
    if (apiVersion === KVM_API_VERSION) return { kind: 'usable', maxVcpus };
    return { kind: 'broken', reason: `${device} has version ${apiVersion} of its interface` };
  } catch (error) {
    const { errno, message } = error as Error & { errno?: number };
    if (errno === ENOENT) return { kind: 'no-device', device };
    if (errno === EACCES || errno === EPERM) return { kind: 'no-permission', device, ...group };
    return { kind: 'broken', reason: message };
  }
}

/** A VMM that root starts opens the device as another user: through its group, or as anybody. */
function vmmMayOpen({ mode, gid }: Stats): boolean {
  if (process.geteuid?.() !== 0 || (mode & OTHERS_READ_WRITE) === OTHERS_READ_WRITE) return true;
  return (mode & GROUP_READ_WRITE) === GROUP_READ_WRITE && gid !== 0;
}
