import { readFileSync, statSync } from 'node:fs';
import { BoxError } from '@a3s-box/core';
import type { ContainerLimits, ContainerOptions } from '@a3s-box/core/client';
import type { containerFlags, resourceFlags } from '../commands/container-flags.js';
import type { FlagValues } from '../grammar/flag.js';

type Flags = FlagValues<typeof containerFlags>;
/** As core/src/box/seccomp/parse-profile.ts. */
const LARGEST_PROFILE_BYTES = 1_000_000;

/** What `create` and `run` were asked for of the container. @returns undefined for nothing @throws INVALID_ARGUMENT */
export function containerOptionsOf(flags: Flags): ContainerOptions | undefined {
  const options = { ...confinementOf(flags), ...limitsOf(flags), ...setUpOf(flags) };
  return Object.keys(options).length === 0 ? undefined : options;
}

function confinementOf(flags: Flags): ContainerOptions {
  return {
    ...(flags.privileged && { privileged: true }),
    ...(flags['read-only'] && { readOnly: true }),
    ...list('capAdd', flags['cap-add']),
    ...list('capDrop', flags['cap-drop']),
    ...list('groups', flags['group-add']),
    ...list('securityOptions', flags['security-opt'].map(withProfile)),
  };
}

function limitsOf(flags: Flags): ContainerOptions {
  return {
    ...resourcesOf(flags),
    ...some('oomScoreAdj', flags['oom-score-adj']),
    ...some('shmBytes', flags['shm-size'] || undefined),
    ...list('ulimits', flags.ulimit),
  };
}

/** As in Docker, 0 is as not given. */
export function resourcesOf(flags: FlagValues<typeof resourceFlags>): ContainerLimits {
  return {
    ...some('cpuPeriodUs', flags['cpu-period'] || undefined),
    ...some('cpuQuotaUs', flags['cpu-quota'] || undefined),
    ...some('cpuShares', flags['cpu-shares'] || undefined),
    ...some('cpusetCpus', flags['cpuset-cpus']),
    ...some('cpusetMems', flags['cpuset-mems']),
    ...some('memoryReservationBytes', flags['memory-reservation'] || undefined),
    ...some('memorySwapBytes', flags['memory-swap'] || undefined),
    ...some('pidsLimit', flags['pids-limit'] === 0 ? -1 : flags['pids-limit']),
  };
}

function setUpOf(flags: Flags): ContainerOptions {
  return {
    ...(flags.init && { init: true }),
    ...some('domainName', flags.domainname),
    ...some('stopTimeoutMs', flags['stop-timeout']),
    ...list('extraHosts', flags['add-host']),
    ...list('nameServers', flags.dns),
    ...list('resolverOptions', flags['dns-option']),
    ...list('searchDomains', flags['dns-search']),
    ...map('annotations', flags.annotation),
    ...map('sysctls', flags.sysctl),
    ...map('tmpfs', flags.tmpfs),
    ...list(
      'tmpfsMounts',
      flags.mount.flatMap((mount) => (mount.type === 'tmpfs' ? [mount.mount] : [])),
    ),
  };
}

/** As Docker's client does it, the profile's text goes in the place of its file's name. */
function withProfile(option: string): string {
  const [, file = ''] = /^seccomp[=:](.*)$/.exec(option) ?? [];
  if (['', 'default', 'builtin', 'unconfined'].includes(file)) return option;
  return `seccomp=${readProfile(file)}`;
}

function readProfile(file: string): string {
  try {
    const { size } = statSync(file);
    if (size <= LARGEST_PROFILE_BYTES) return readFileSync(file, 'utf8');
    throw new BoxError('INVALID_ARGUMENT', `seccomp profile ${file} is ${size} bytes long`, {
      hint: `give one of at most ${LARGEST_PROFILE_BYTES} bytes`,
    });
  } catch (cause) {
    if (cause instanceof BoxError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw new BoxError('INVALID_ARGUMENT', `seccomp profile ${file} cannot be read: ${code}`, {
      hint: 'give seccomp=default, seccomp=unconfined, or a file with a profile in JSON',
      cause,
    });
  }
}

function some<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: T };
}

function list<K extends string, T>(key: K, values: readonly T[]): { readonly [P in K]?: readonly T[] } {
  return some(key, values.length > 0 ? values : undefined);
}

function map<K extends string>(
  key: K,
  entries: readonly (readonly [string, string])[],
): { readonly [P in K]?: Readonly<Record<string, string>> } {
  return some(key, entries.length > 0 ? Object.fromEntries(entries) : undefined);
}
