import { BoxError } from '../errors/box-error.js';
import type { BoxSpec } from './box-spec.js';
import type { ContainerOptions, Ulimit } from './container-options.js';

export const CPU_PERIOD_US = 100_000;
/** Limits that can be changed while a box runs. */
const CHANGEABLE = [
  ...(['cpuShares', 'cpuQuotaUs', 'cpuPeriodUs', 'cpusetCpus', 'cpusetMems'] as const),
  ...(['memoryReservationBytes', 'memorySwapBytes', 'pidsLimit'] as const),
] as const;
export type ContainerLimits = Pick<ContainerOptions, (typeof CHANGEABLE)[number]>;

/** @throws UNSUPPORTED for an option that holds from a box's creation to its removal */
export function checkChangeable(options: ContainerOptions): ContainerLimits {
  const other = Object.keys(options).find((name) => !CHANGEABLE.some((changeable) => changeable === name));
  if (other === undefined) return options;
  throw new BoxError('UNSUPPORTED', `container option ${other} cannot be changed`, { hint: 'make another box' });
}

const UNLIMITED = 2n ** 64n - 1n;
/** Docker's names of resource limits (getrlimit(2)). */
const ULIMITS: readonly string[] = [
  ...['core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio'],
  ...['rttime', 'sigpending', 'stack'],
];
const SHARES = { least: 2, most: 262_144 };
const PERIOD_US = { least: 1000, most: 1_000_000 };
const LEAST_QUOTA_US = 1000;
const OOM_SCORE = 1000;
const LEAST_SHM_BYTES = 4096;
const CPU_LIST = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;

/** `process.rlimits` of an OCI config. */
export function rlimitsOf({ ulimits = [] }: ContainerOptions): object[] {
  const value = (limit: number) => (limit === -1 ? UNLIMITED : limit);
  return ulimits.map(({ name, soft, hard }) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    soft: value(soft),
    hard: value(hard),
  }));
}

/** `linux.resources` of an OCI config. Its memory is limited by the VM's, and swap is not there. */
export function resourcesOf({ nanoCpus, options = {} }: BoxSpec): Record<string, unknown> {
  const { pidsLimit, memoryReservationBytes: reservation, privileged } = options;
  const cpu = {
    ...quotaOf(nanoCpus, options),
    ...(options.cpuShares !== undefined && { shares: options.cpuShares }),
    ...(options.cpusetCpus !== undefined && { cpus: options.cpusetCpus }),
    ...(options.cpusetMems !== undefined && { mems: options.cpusetMems }),
  };
  return {
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(reservation !== undefined && { memory: { reservation } }),
    ...(pidsLimit !== undefined && { pids: { limit: pidsLimit } }),
    ...(privileged === true && { devices: [{ allow: true }] }),
  };
}

/**
 * `linux.resources` for what is to change of a container that runs.
 * @param limits what changes @param options all options, with that
 */
export function changedResources(limits: ContainerLimits, options: ContainerOptions): Record<string, unknown> {
  const { cpuQuotaUs, cpuPeriodUs, cpuShares, cpusetCpus, cpusetMems } = limits;
  const cpu = {
    // The kernel has both in one file.
    ...((cpuQuotaUs ?? cpuPeriodUs) !== undefined && {
      quota: options.cpuQuotaUs ?? -1,
      period: options.cpuPeriodUs ?? CPU_PERIOD_US,
    }),
    ...(cpuShares !== undefined && { shares: cpuShares }),
    ...(cpusetCpus !== undefined && { cpus: cpusetCpus }),
    ...(cpusetMems !== undefined && { mems: cpusetMems }),
  };
  const { memoryReservationBytes: reservation, pidsLimit } = limits;
  return {
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(reservation !== undefined && { memory: { reservation } }),
    ...(pidsLimit !== undefined && { pids: { limit: pidsLimit } }),
  };
}

function quotaOf(nanoCpus: number | undefined, { cpuQuotaUs, cpuPeriodUs }: ContainerOptions): object {
  if (cpuQuotaUs !== undefined || cpuPeriodUs !== undefined) {
    return {
      ...(cpuQuotaUs !== undefined && { quota: cpuQuotaUs }),
      ...(cpuPeriodUs !== undefined && { period: cpuPeriodUs }),
    };
  }
  if (nanoCpus === undefined || nanoCpus % 1e9 === 0) return {};
  return { quota: Math.round((nanoCpus / 1e9) * CPU_PERIOD_US), period: CPU_PERIOD_US };
}

/** CPUs that a quota comes to, for a box that is given no number of them. */
export function cpusOfQuota({ cpuQuotaUs = -1, cpuPeriodUs = CPU_PERIOD_US }: ContainerOptions): number | undefined {
  return cpuQuotaUs > 0 ? cpuQuotaUs / cpuPeriodUs : undefined;
}

/**
 * Checks limits with one another and with the VM's.
 * @throws INVALID_ARGUMENT, UNSUPPORTED for swap
 */
export function checkLimits(options: ContainerOptions, { nanoCpus }: BoxSpec, sizing: Sizing): void {
  checkCpus(options, nanoCpus, sizing.vcpus);
  checkMemory(options, sizing.memoryBytes);
  options.ulimits?.forEach(checkUlimit);
  const names = (options.ulimits ?? []).map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) fail(`resource limit "${twice}" is given twice`, 'give each limit once');
  const { pidsLimit, oomScoreAdj, shmBytes } = options;
  if (pidsLimit !== undefined && !(Number.isInteger(pidsLimit) && pidsLimit >= -1))
    fail(`limit of ${pidsLimit} processes is not a number of them`, 'give a number, or -1 for no limit');
  if (oomScoreAdj !== undefined && !(Number.isInteger(oomScoreAdj) && Math.abs(oomScoreAdj) <= OOM_SCORE))
    fail(`out-of-memory score ${oomScoreAdj} is out of range`, `give a number from -${OOM_SCORE} to ${OOM_SCORE}`);
  if (shmBytes !== undefined && !(Number.isInteger(shmBytes) && shmBytes >= LEAST_SHM_BYTES))
    fail(`size of /dev/shm, ${shmBytes} bytes, is too small`, `give at least ${LEAST_SHM_BYTES} bytes`);
}

interface Sizing {
  readonly vcpus: number;
  readonly memoryBytes: number;
}

function checkCpus(options: ContainerOptions, nanoCpus: number | undefined, vcpus: number): void {
  const { cpuShares, cpuQuotaUs, cpuPeriodUs, cpusetCpus, cpusetMems } = options;
  if (nanoCpus !== undefined && (cpuQuotaUs !== undefined || cpuPeriodUs !== undefined))
    fail(
      'a number of CPUs and a quota or period of them are both given',
      'give --cpus, or --cpu-quota and --cpu-period',
    );
  if (cpuShares !== undefined && !inRange(cpuShares, SHARES))
    fail(`CPU shares of ${cpuShares} are out of range`, `give a number from ${SHARES.least} to ${SHARES.most}`);
  if (cpuPeriodUs !== undefined && !inRange(cpuPeriodUs, PERIOD_US))
    fail(
      `CPU period of ${cpuPeriodUs} microseconds is out of range`,
      `give a number from ${PERIOD_US.least} to ${PERIOD_US.most}`,
    );
  if (cpuQuotaUs !== undefined && cpuQuotaUs !== -1 && !(Number.isInteger(cpuQuotaUs) && cpuQuotaUs >= LEAST_QUOTA_US))
    fail(`CPU quota of ${cpuQuotaUs} microseconds is too small`, `give at least ${LEAST_QUOTA_US}, or -1 for no limit`);
  checkList(cpusetCpus, `the box has ${vcpus} CPUs`, vcpus);
  checkList(cpusetMems, 'the box has 1 memory node', 1);
}

function checkList(list: string | undefined, has: string, count: number): void {
  if (list === undefined) return;
  if (!CPU_LIST.test(list)) fail(`"${list}" is not a list of numbers`, 'give numbers and ranges, such as 0-2,4');
  const numbers = list.split(/[-,]/).map(Number);
  if (Math.max(...numbers) >= count)
    fail(
      `"${list}" names more than there is: ${has}`,
      `count from 0 to ${count - 1}; --cpus sets how many CPUs a box has`,
    );
}

function checkMemory(options: ContainerOptions, memoryBytes: number): void {
  const { memoryReservationBytes: reservation, memorySwapBytes: swap } = options;
  if (reservation !== undefined && reservation > memoryBytes)
    fail(
      `memory reservation of ${reservation} bytes is more than the box's ${memoryBytes}`,
      'give less, or more memory',
    );
  // What is equal asks for no swap, and that is how it is.
  if (swap === undefined || swap === memoryBytes) return;
  if (swap !== -1 && swap < memoryBytes)
    fail(
      `memory and swap of ${swap} bytes are less than the box's memory of ${memoryBytes}, which they include`,
      'give as much as the memory',
    );
  throw new BoxError('UNSUPPORTED', "swap is not supported: the guest's kernel has none", {
    hint: 'give --memory-swap the value of --memory, or leave it out; --memory may be more than the host has free',
  });
}

function checkUlimit({ name, soft, hard }: Ulimit): void {
  if (!ULIMITS.includes(name)) fail(`resource limit "${name}" is not known`, `give one of ${ULIMITS.join(', ')}`);
  for (const value of [soft, hard]) {
    if (!Number.isSafeInteger(value) || value < -1)
      fail(`resource limit ${name}: ${value} is not a limit`, 'give a number, or -1 for unlimited');
  }
  if (hard !== -1 && (soft === -1 || soft > hard))
    fail(
      `resource limit ${name}: ${soft} is above its ceiling of ${hard}`,
      'give NAME=SOFT:HARD with SOFT at most HARD',
    );
}

function inRange(value: number, { least, most }: { readonly least: number; readonly most: number }): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function fail(message: string, hint: string): never {
  throw new BoxError('INVALID_ARGUMENT', message, { hint });
}
