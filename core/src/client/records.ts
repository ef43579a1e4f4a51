/** What the client returns: plain values, free of the protocol's own types. Sizes are bytes. */
import type { BoxSpec, RestartPolicy } from '../box/box-spec.js';
import type { ContainerLimits } from '../box/container-limits.js';
import type { ImageConfig, ImageStep } from '../ports/image-store.js';
import type { PublishedPort } from '../ports/network.js';

/** How a process or box ended. Where it is not known, there is no code to mistake for success. */
export type ExitStatus = KnownExit | UnknownExit;

interface Exit {
  readonly outOfMemory: boolean;
  /** Ended because of the box's time limit. */
  readonly timedOut: boolean;
  /** Why it ended, where that was not the workload's own doing: that the VMM was killed, for example. */
  readonly reason?: string;
  /** Nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
}

export interface KnownExit extends Exit {
  readonly known: true;
  /** 0 to 255; for a death by signal 128 + signal. */
  readonly code: number;
}

export interface UnknownExit extends Exit {
  readonly known: false;
}

/** The supervisor that a client speaks to. */
export interface SupervisorIdentity {
  readonly pid: number;
  /** Semantic version. */
  readonly version: string;
  /** Absolute path. */
  readonly home: string;
}

/** What a host can do. */
export interface HostInfo {
  readonly supervisorPid: number;
  readonly home: string;
  readonly version: string;
  readonly backends: readonly BackendInfo[];
  /** The backend that a box would get now; absent when none is usable. */
  readonly chosenBackend?: string;
  /** Why that one, or why none. */
  readonly choiceReason: string;
  readonly plugins: readonly PluginInfo[];
}

export interface BackendInfo {
  readonly name: string;
  readonly usable: boolean;
  /** What its probe found. */
  readonly reason: string;
  readonly version: string;
  readonly acceleration: 'hardware' | 'emulation' | 'none';
  /** For example `kvm`, `tcg`. */
  readonly accelerator: string;
  readonly capabilities: readonly string[];
  readonly maxVcpus: number;
  readonly minMemoryBytes: number;
  readonly maxMemoryBytes: number;
}

export interface PluginInfo {
  readonly name: string;
  readonly version: string;
  readonly state: 'active' | 'skipped' | 'faulted';
  /** Why it is not active; empty when it is. */
  readonly reason: string;
}

/** A box that was recorded and does not run yet. */
export interface CreatedBox {
  /** 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** To be shown to the user once. */
  readonly notices: readonly string[];
}

/** What runs in a box. */
export interface BoxProcesses {
  /** By id. */
  readonly processes: readonly {
    /** As the box sees it. */
    readonly pid: number;
    /** 0 where that is outside of the box. */
    readonly parent: number;
    /** Effective user id. */
    readonly user: number;
    readonly started: Date;
    readonly cpuMs: number;
    /** `pts/0`, or `?` without one. */
    readonly terminal: string;
    readonly command: string;
  }[];
  /** How many more there are than were told. */
  readonly leftOut: number;
}

/** What is to change of a box; absent: it stays. */
export interface BoxUpdate {
  readonly memoryBytes?: number;
  /** Billionths of a CPU. */
  readonly nanoCpus?: number;
  readonly limits?: ContainerLimits;
  /** `no` takes it away. */
  readonly restart?: RestartPolicy | 'no';
}

/** Which boxes are pruned of those that do not run. */
export interface PruneFilter {
  /** Only those made before, nanoseconds since the Unix epoch. */
  readonly untilNs?: bigint;
  /** All have to hold. */
  readonly labels?: readonly {
    readonly name: string;
    /** Absent: any. */
    readonly value?: string | undefined;
    /** Boxes that do not have it. */
    readonly negated: boolean;
  }[];
}

export interface PrunedBoxes {
  /** Full ids. */
  readonly removed: readonly string[];
  readonly reclaimedBytes: number;
}

/** What a home has on the disk, bytes that are really taken. */
export interface DiskUsage {
  /** By full id: scratch disk and log. */
  readonly boxes: ReadonlyMap<string, number>;
  readonly templateBytes: number;
  /** By name: files, or the disk, holes left out. */
  readonly volumes: ReadonlyMap<string, number>;
}

/** `restarting`: it has ended, and its restart policy will start it again in a moment. */
export type BoxState = 'created' | 'starting' | 'running' | 'paused' | 'stopping' | 'restarting' | 'exited' | 'dead';

export interface BoxRecord {
  readonly id: string;
  readonly name: string;
  readonly spec: BoxSpec;
  readonly imageId: string;
  readonly state: BoxState;
  readonly created: Date;
  readonly started?: Date;
  readonly finished?: Date;
  readonly exit?: ExitStatus;
  readonly backend: string;
  readonly acceleration: string;
  /** Whether its VM was cloned from a template; false unless it runs. */
  readonly cloned: boolean;
  readonly vmmPid?: number;
  readonly vcpus: number;
  readonly memoryBytes: number;
  /** Counts up with every change of the record. */
  readonly generation: number;
  /** Program and arguments of the main process. */
  readonly arguments: readonly string[];
  /** Why it is paused: `user` when that was asked for, `no-space` while the host's disk is full, `unreachable` while its guest answers nobody. */
  readonly pausedBecause?: string;
  /** Network by name, or `none`. */
  readonly network: string;
  /** Of the guest, with prefix length; empty unless it runs. */
  readonly addresses: readonly string[];
  /** With the host ports that were chosen. */
  readonly ports: readonly PublishedPort[];
  /** How often its restart policy has started it since its user did. */
  readonly restartCount: number;
  /** Why its last start came to nothing. */
  readonly startError?: string;
  /** Absent without a health check. */
  readonly health?: BoxHealth;
  /** Directory of its log on the host; absent where it keeps none. */
  readonly logPath?: string;
}

/** What the health check of a box found. */
export interface BoxHealth {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  /** The last probes, oldest first. */
  readonly log: readonly {
    readonly start: Date;
    readonly end: Date;
    /** -1 when it took too long, or could not be started. */
    readonly exitCode: number;
    readonly output: string;
  }[];
}

/** A booted guest that boxes are cloned from. */
export interface TemplateRecord {
  readonly key: string;
  /** Which boxes are cloned from it. Absent for one that is damaged: it is made anew when it is wanted. */
  readonly shape?: {
    readonly backend: string;
    readonly vcpus: number;
    readonly memoryBytes: number;
    /** Whether it has the network card. */
    readonly network: boolean;
  };
  readonly created?: Date;
  /** Of the product that made it. */
  readonly version?: string;
  readonly used: Date;
  /** On the disk. */
  readonly sizeBytes: number;
}

/** One line that a box's main process wrote, or a part of one. */
export interface LogRecord {
  readonly stream: 'stdout' | 'stderr';
  /** When the guest read it, nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
  /** The bytes, with the newline that ends the line. */
  readonly data: Buffer;
}

/** A phase of a box's life. */
export interface Span {
  readonly name: string;
  /** `supervisor`, `vmm`, `kernel`, `guest-init` or `workload`. */
  readonly process: string;
  /** Nanoseconds since the Unix epoch. */
  readonly startNs: bigint;
  /** The same; 0n while it lasts. */
  readonly endNs: bigint;
}

export interface ImageRecord {
  readonly id: string;
  readonly digest: string;
  /** References, for example `docker.io/a3s/starter:latest`. */
  readonly names: readonly string[];
  /** Under which digests repositories have it that it came from or went to, `repository@digest`; oldest first. */
  readonly repoDigests: readonly string[];
  /** For example `linux/amd64`. */
  readonly platform: string;
  /** As the image says; absent when it does not. */
  readonly created?: Date;
  readonly sizeBytes: number;
}

/** What a registry has under a name. */
export interface PushedImage {
  /** With tag. */
  readonly name: string;
  /** Of the manifest or index there. */
  readonly digest: string;
  /** Bytes of that. */
  readonly sizeBytes: number;
}

/** An image with what shapes a box of it. */
export interface ImageDetails extends ImageRecord {
  readonly config: ImageConfig;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
  /** How it was made; oldest step first. */
  readonly history: readonly ImageStep[];
}
