import type { GuestArchitecture } from '../../ports/hypervisor.js';
import type { Condition, OciSeccomp, Profile, Rule } from './profile.js';

/** What the rules of a profile may depend on. */
export interface Surroundings {
  /** Of the container's processes. */
  readonly capabilities: ReadonlySet<string>;
  readonly architecture: GuestArchitecture;
}

/** The kernel that guests run: what a profile may ask for at most. */
const KERNEL = [6, 12] as const;
const NATIVE: Readonly<Record<GuestArchitecture, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
};

/** A profile without conditions: only the rules that hold here. */
export function resolveProfile(profile: Profile, surroundings: Surroundings): OciSeccomp {
  const { defaultAction, defaultErrnoRet, flags } = profile;
  return {
    defaultAction,
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    ...(flags && { flags }),
    architectures: architecturesOf(profile, surroundings.architecture),
    syscalls: profile.syscalls
      .filter(({ includes = {}, excludes = {} }) => isMet(includes, surroundings) && !hits(excludes, surroundings))
      .map(plainRule),
  };
}

function plainRule({ names, action, errnoRet, args }: Rule): Omit<Rule, 'includes' | 'excludes'> {
  return {
    names,
    action,
    ...(errnoRet !== undefined && { errnoRet }),
    ...(args && args.length > 0 && { args }),
  };
}

/** The native one with its kin. A list without conditions may name others, whose programs no guest runs. */
function architecturesOf({ architectures = [], archMap = [] }: Profile, architecture: GuestArchitecture): string[] {
  const native = NATIVE[architecture];
  const kin = archMap.find((entry) => entry.architecture === native)?.subArchitectures ?? [];
  return [...new Set([native, ...kin, ...architectures])];
}

/** All of what it names. */
function isMet(
  { caps = [], arches = [], minKernel = '' }: Condition,
  { capabilities, architecture }: Surroundings,
): boolean {
  return (
    caps.every((name) => capabilities.has(name)) &&
    (arches.length === 0 || arches.includes(architecture)) &&
    (minKernel === '' || isOldEnough(minKernel))
  );
}

/** Any of what it names. */
function hits(
  { caps = [], arches = [], minKernel = '' }: Condition,
  { capabilities, architecture }: Surroundings,
): boolean {
  return (
    caps.some((name) => capabilities.has(name)) ||
    arches.includes(architecture) ||
    (minKernel !== '' && isOldEnough(minKernel))
  );
}

function isOldEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < KERNEL[0] || (major === KERNEL[0] && minor <= KERNEL[1]);
}
