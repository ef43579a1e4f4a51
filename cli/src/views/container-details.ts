/** What `inspect` prints of a box's container options, under Docker's names. */
import { FOR_EVER_MS } from '@a3s-box/core';
import type { BoxSpec } from '@a3s-box/core/client';

const MS_PER_SECOND = 1000;
const DEFAULT_SHM_BYTES = 64 * 2 ** 20;

/** Members of `Config`. */
export function containerConfig({ options = {} }: BoxSpec): object {
  const { domainName = '', stopTimeoutMs } = options;
  return {
    Domainname: domainName,
    ...(stopTimeoutMs !== undefined && {
      StopTimeout: stopTimeoutMs === FOR_EVER_MS ? -1 : stopTimeoutMs / MS_PER_SECOND,
    }),
  };
}

/** Members of `HostConfig`. */
export function containerHostConfig({ options = {} }: BoxSpec): object {
  return {
    Privileged: options.privileged ?? false,
    ReadonlyRootfs: options.readOnly ?? false,
    Init: options.init ?? null,
    CapAdd: options.capAdd ?? null,
    CapDrop: options.capDrop ?? null,
    SecurityOpt: options.securityOptions ?? null,
    GroupAdd: options.groups ?? null,
    CpuShares: options.cpuShares ?? 0,
    CpuPeriod: options.cpuPeriodUs ?? 0,
    CpuQuota: options.cpuQuotaUs ?? 0,
    CpusetCpus: options.cpusetCpus ?? '',
    CpusetMems: options.cpusetMems ?? '',
    MemoryReservation: options.memoryReservationBytes ?? 0,
    MemorySwap: options.memorySwapBytes ?? 0,
    OomScoreAdj: options.oomScoreAdj ?? 0,
    PidsLimit: options.pidsLimit ?? null,
    ShmSize: options.shmBytes ?? DEFAULT_SHM_BYTES,
    Ulimits: (options.ulimits ?? []).map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
    Sysctls: new Map(Object.entries(options.sysctls ?? {})),
    Dns: options.nameServers ?? [],
    DnsOptions: options.resolverOptions ?? [],
    DnsSearch: options.searchDomains ?? [],
    ExtraHosts: options.extraHosts ?? null,
    Annotations: new Map(Object.entries(options.annotations ?? {})),
    Tmpfs: new Map(Object.entries(options.tmpfs ?? {})),
    Mounts: (options.tmpfsMounts ?? []).map(({ target, readOnly = false, sizeBytes, mode }) => ({
      Type: 'tmpfs',
      Target: target,
      ReadOnly: readOnly,
      TmpfsOptions: {
        ...(sizeBytes !== undefined && { SizeBytes: sizeBytes }),
        ...(mode !== undefined && { Mode: mode }),
      },
    })),
  };
}
