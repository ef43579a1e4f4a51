import type { GuestArchitecture } from '../ports/hypervisor.js';
import { capabilitiesOf, ALL_CAPABILITIES } from './capability-set.js';
import type { ContainerOptions } from './container-options.js';
import { DEFAULT_PROFILE } from './seccomp/default-profile.js';
import type { OciSeccomp } from './seccomp/profile.js';
import { resolveProfile } from './seccomp/resolve-profile.js';
import { parseSecurityOptions } from './security-options.js';

const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
] as const;

const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'] as const;

/** The sets of `process.capabilities`. As in Docker, nothing is inheritable or ambient. */
export interface CapabilitySets {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
}

/** What a container is confined by. */
export interface Confinement {
  readonly capabilities: CapabilitySets;
  readonly noNewPrivileges: boolean;
  /** Undefined: every system call. */
  readonly seccomp: OciSeccomp | undefined;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

/** @throws INVALID_ARGUMENT, UNSUPPORTED for options that are not valid */
export function confinementOf(options: ContainerOptions, architecture: GuestArchitecture): Confinement {
  const capabilities = capabilitiesOf(options);
  const { noNewPrivileges, maskedPaths, seccomp } = parseSecurityOptions(options.securityOptions ?? []);
  const privileged = options.privileged === true;
  const profile = seccomp ?? (privileged ? 'unconfined' : DEFAULT_PROFILE);
  const open = privileged || !maskedPaths;
  return {
    capabilities: setsOf(capabilities),
    noNewPrivileges,
    seccomp:
      profile === 'unconfined'
        ? undefined
        : resolveProfile(profile, { capabilities: new Set(capabilities), architecture }),
    maskedPaths: open ? [] : MASKED_PATHS,
    readonlyPaths: open ? [] : READONLY_PATHS,
  };
}

/** Of an exec that has them all. */
export const PRIVILEGED_CAPABILITIES: CapabilitySets = setsOf(ALL_CAPABILITIES);

function setsOf(capabilities: readonly string[]): CapabilitySets {
  return { bounding: capabilities, effective: capabilities, permitted: capabilities };
}
