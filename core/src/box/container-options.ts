/** What a user may ask for of a box's container beyond what every box has. What is absent was not asked for. */
export interface ContainerOptions {
  /** Run the command below an init of ours, which reaps orphans and passes signals on. */
  readonly init?: boolean;
  /** Mount the root file system read-only. */
  readonly readOnly?: boolean;
  /** All capabilities, devices and system calls, and nothing masked. */
  readonly privileged?: boolean;
  /** Capabilities by name, with or without `CAP_`, or `ALL`. */
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  /**
   * As Docker's API has them: `no-new-privileges[=true|false]`, `systempaths=unconfined`, and `seccomp=` followed by
   * `default`, `unconfined` or the text of a profile.
   */
  readonly securityOptions?: readonly string[];
  /** Mount options by absolute path, as `--tmpfs` has them: `size=64m,mode=1770`. */
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly tmpfsMounts?: readonly TmpfsMount[];
  /** Size of /dev/shm, bytes. */
  readonly shmBytes?: number;
  readonly ulimits?: readonly Ulimit[];
  /** Most processes; -1 for no limit. */
  readonly pidsLimit?: number;
  /** Weight against what else runs in the VM, 2 to 262144. */
  readonly cpuShares?: number;
  /** Microseconds of CPU time in each period; -1 for no limit. */
  readonly cpuQuotaUs?: number;
  /** Microseconds, 1000 to 1000000. */
  readonly cpuPeriodUs?: number;
  /** The box's virtual CPUs that may be used, `0-2,4`. */
  readonly cpusetCpus?: string;
  /** The box's memory nodes that may be used. */
  readonly cpusetMems?: string;
  /** Memory that the kernel takes from the container last. */
  readonly memoryReservationBytes?: number;
  /** Memory and swap together. A guest has no swap, so it is as much as the memory, or it is refused. */
  readonly memorySwapBytes?: number;
  /** Kernel parameters by dotted name. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Further groups of the user, names or numbers. */
  readonly groups?: readonly string[];
  /** -1000 to 1000. */
  readonly oomScoreAdj?: number;
  /** How long `stop` waits where it is not told, milliseconds; `FOR_EVER_MS`: without a limit. */
  readonly stopTimeoutMs?: number;
  /** Addresses of name servers, in place of the network's. */
  readonly nameServers?: readonly string[];
  /** `.` alone for none. */
  readonly searchDomains?: readonly string[];
  /** Options of resolv.conf(5). */
  readonly resolverOptions?: readonly string[];
  /** `NAME:ADDRESS`, for /etc/hosts. */
  readonly extraHosts?: readonly string[];
  /** Free metadata in the container's runtime configuration. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Domain name of the UTS namespace. */
  readonly domainName?: string;
}

/** A file system in the guest's memory. */
export interface TmpfsMount {
  /** Absolute path. */
  readonly target: string;
  readonly readOnly?: boolean;
  /** Absent: half of the memory. */
  readonly sizeBytes?: number;
  /** Permission bits. */
  readonly mode?: number;
}

/** A resource limit of the container's processes; -1 for unlimited. */
export interface Ulimit {
  /** For example `nofile`. */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

const DEFAULT_STOP_TIMEOUT_MS = 10_000;

/** How long a stop waits where it is not told, milliseconds. */
export function stopTimeoutOf(options: ContainerOptions = {}): number {
  return options.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS;
}

/** Of /dev/shm, as Docker's. */
export const DEFAULT_SHM_BYTES = 64 * 2 ** 20;
