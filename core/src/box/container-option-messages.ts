import { ContainerOptions as Message } from '../gen/a3s/box/supervisor/v1/container_options.js';
import type { ContainerOptions } from './container-options.js';

/** As the supervisor's protocol has them. */
export function containerOptionsTo(options: ContainerOptions): Message {
  return Message.create({
    ...options,
    capAdd: [...(options.capAdd ?? [])],
    capDrop: [...(options.capDrop ?? [])],
    securityOptions: [...(options.securityOptions ?? [])],
    tmpfsMounts: (options.tmpfsMounts ?? []).map(({ target, readOnly = false, sizeBytes = 0, mode }) => ({
      target,
      readOnly,
      sizeBytes: BigInt(sizeBytes),
      mode,
    })),
    ulimits: (options.ulimits ?? []).map(({ name, soft, hard }) => ({ name, soft: BigInt(soft), hard: BigInt(hard) })),
    shmBytes: BigInt(options.shmBytes ?? 0),
    pidsLimit: options.pidsLimit === undefined ? undefined : BigInt(options.pidsLimit),
    cpuShares: BigInt(options.cpuShares ?? 0),
    cpuQuotaUs: BigInt(options.cpuQuotaUs ?? 0),
    cpuPeriodUs: BigInt(options.cpuPeriodUs ?? 0),
    memoryReservationBytes: BigInt(options.memoryReservationBytes ?? 0),
    memorySwapBytes: BigInt(options.memorySwapBytes ?? 0),
    groups: [...(options.groups ?? [])],
    nameServers: [...(options.nameServers ?? [])],
    searchDomains: [...(options.searchDomains ?? [])],
    resolverOptions: [...(options.resolverOptions ?? [])],
    extraHosts: [...(options.extraHosts ?? [])],
    tmpfs: { ...options.tmpfs },
    sysctls: { ...options.sysctls },
    annotations: { ...options.annotations },
  });
}

/** @returns only what was asked for; undefined for nothing */
export function containerOptionsFrom(message: Message | undefined): ContainerOptions | undefined {
  if (!message) return undefined;
  const { pidsLimit, ulimits, tmpfsMounts, ...rest } = message;
  const plain = {
    ...rest,
    pidsLimit: pidsLimit === undefined ? undefined : Number(pidsLimit),
    ulimits: ulimits.map(({ name, soft, hard }) => ({ name, soft: Number(soft), hard: Number(hard) })),
    tmpfsMounts: tmpfsMounts.map(({ target, readOnly, sizeBytes, mode }) => ({
      target,
      ...(readOnly && { readOnly }),
      ...(sizeBytes > 0n && { sizeBytes: Number(sizeBytes) }),
      ...(mode !== undefined && { mode }),
    })),
  };
  const given = Object.entries(plain)
    .map(([key, value]) => [key, typeof value === 'bigint' ? Number(value) : value] as const)
    .filter(([key, value]) => (KEPT_ZEROS.has(key) ? value !== undefined : isGiven(value)));
  return given.length === 0 ? undefined : (Object.fromEntries(given) as ContainerOptions);
}

/** Where nothing and zero differ. */
const KEPT_ZEROS: ReadonlySet<string> = new Set(['pidsLimit', 'oomScoreAdj', 'stopTimeoutMs']);

function isGiven(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
