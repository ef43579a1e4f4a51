import { definePort } from './port.js';
import type { Operation } from './operation.js';

/**
 * Starts virtual machines of the fixed device shape (docs/compatibility.md) and hands each out as a {@link Vm}.
 *
 * Concurrency: all methods may be called at the same time. Ownership: the provider owns nothing between calls; a VM
 * belongs to who called {@link Hypervisor.create} or {@link Hypervisor.adopt}. No backend is asked by name: callers
 * look at {@link HypervisorProbe.capabilities}.
 */
export interface Hypervisor {
  /** Name that users give, for example `qemu`. Lower case. */
  readonly name: string;

  /**
   * Says whether this backend works here and why. Starts nothing that outlives the call; may run a bounded boot probe
   * and may answer from a cache keyed by everything that it depends on. Never throws for an unusable machine: that is
   * an answer.
   *
   * @throws CANCELLED when the signal fires
   */
  probe(operation: Operation): Promise<HypervisorProbe>;

  /**
   * Starts a VM. On return its VMM runs confined, its CPUs run (or wait for {@link Vm.resume} when
   * {@link VmSpec.paused}), and {@link Vm.agent} can be connected to; the guest may not have booted yet.
   *
   * Before: every path in the spec exists; `directory` is empty, absolute and belongs to this VM alone.
   * After: files that the VMM made lie in `directory`. Cancelled or failed: no process and no file of it is left.
   *
   * @throws BACKEND_UNAVAILABLE when the probe says so; {@link HypervisorProbe.foreign} for boot assets of another
   * architecture than the host's
   * @throws VM_START_FAILED when the VMM ended before it ran; details carry its stderr and exit
   * @throws CONFINEMENT_FAILED when a security control could not be applied
   * @throws INVALID_ARGUMENT for a spec outside {@link HypervisorProbe.limits}
   * With {@link VmSpec.template} the VM is a clone: its guest goes on where the template's was stopped. Whatever is wrong
   * with a template fails the call; it never makes a VM of another kind.
   *
   * @throws UNSUPPORTED for a device or disk format that is not among the capabilities, and for disks that a template has
   * no place for
   * @throws TEMPLATE_UNUSABLE for a template of another fingerprint or shape, and one whose state cannot be loaded
   * @throws CANCELLED when the signal fires
   */
  create(spec: VmSpec, operation: Operation): Promise<Vm>;

  /**
   * Takes over a VM that an earlier process of the same host created, from what {@link Vm.record} gave there. The VMM
   * is recognised by process id and start time, so that a reused id is never taken for it.
   *
   * @throws NOT_FOUND when that VMM does not run any more
   * @throws INVALID_ARGUMENT when the record is of another backend or version
   * @throws CANCELLED when the signal fires
   */
  adopt(record: VmRecord, operation: Operation): Promise<Vm>;

  /**
   * Boots a VM of a shape without images in its disks, lets {@link TemplateSpec.prepare} wait for its guest, stops it, and
   * gives out its memory and its devices' state, for {@link VmSpec.template}. On return no process is left.
   *
   * Before: as for {@link create}. After: `directory` is as it was. The result belongs to the caller. Cancelled or
   * failed: nothing is left.
   *
   * @throws what {@link create} throws, what `prepare` throws, UNSUPPORTED without `templates` and for a share
   */
  makeTemplate(spec: TemplateSpec, operation: Operation): Promise<Template>;
}

export const HypervisorPort = definePort<Hypervisor>('a3s-box.hypervisor.v1');

/** What a backend may be able to do beyond the contract's core. A call that needs an undeclared one throws UNSUPPORTED. */
export type HypervisorCapability =
  /** {@link Vm.pause} and {@link Vm.resume}. */
  | 'pause'
  /** {@link Vm.swapDisk}. */
  | 'swap-disk'
  /** {@link Vm.blockCounters}. */
  | 'block-counters'
  /** {@link VmShape.network}. */
  | 'network-card'
  /** {@link VmSpec.tsi}. */
  | 'tsi'
  /** {@link VmShape.share}. */
  | 'share'
  /** Disks given as flat VMDK descriptors. */
  | 'vmdk-disk'
  /** {@link Hypervisor.makeTemplate} and {@link VmSpec.template}. */
  | 'templates';

export interface HypervisorProbe {
  readonly usable: boolean;
  /** One sentence: why it is usable or not, and what would change that. */
  readonly reason: string;
  /** Version of the VMM, where it could be found. */
  readonly version?: string;
  /** `hardware` runs the guest on the CPU's virtualisation, `emulation` in software. */
  readonly acceleration: 'hardware' | 'emulation' | 'none';
  /** The host interface in use, for example `kvm`, `hvf`, `whpx`, `tcg`. */
  readonly accelerator?: string;
  readonly capabilities: ReadonlySet<HypervisorCapability>;
  /**
   * Capabilities with a fault, each with the fault in words: what uses one goes on to work when it is asked for, and who asks for
   * nothing in particular is given something else.
   */
  readonly impaired?: Readonly<Partial<Record<HypervisorCapability, string>>>;
  readonly limits: VmLimits;
  /**
   * With `templates`: changes with everything of the backend's own that shapes a VM (program and version, machine, CPU,
   * acceleration, device layout). A template is of use only under the fingerprint that it was made with.
   */
  readonly fingerprint?: string;
  /** How it is with guests of another architecture than the host's. Absent: there are none. */
  readonly foreign?: Readonly<Partial<Record<GuestArchitecture, ForeignProbe>>>;
}

/** The answer for guests of one other architecture. */
export type ForeignProbe = Omit<HypervisorProbe, 'foreign'>;

export interface VmLimits {
  readonly maxVcpus: number;
  readonly minMemoryBytes: number;
  readonly maxMemoryBytes: number;
}

/** A process, safe against reuse of its id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time as the system tells it (Linux: field 22 of /proc/PID/stat, clock ticks since boot). */
  readonly startTime: string;
}

/** Processors that guests can have, in OCI's names. */
export const GUEST_ARCHITECTURES = ['amd64', 'arm64'] as const;
export type GuestArchitecture = (typeof GUEST_ARCHITECTURES)[number];

/** Kernel and initramfs, the same for every backend. */
export interface BootAssets {
  /** What the VM has to be for them. */
  readonly architecture: GuestArchitecture;
  /** Absolute path of the kernel: for amd64 an ELF file, for arm64 a raw Image. */
  readonly kernel: string;
  /** Absolute path of the uncompressed cpio initramfs. */
  readonly initramfs: string;
}

/** What is fixed before boot and cannot change afterwards. */
export interface VmShape {
  readonly vcpus: number;
  /** Bytes; a whole number of MiB. */
  readonly memoryBytes: number;
  /** Whether the VM has the network card. */
  readonly network: boolean;
  /** Whether the VM has the virtiofs share. */
  readonly share: boolean;
}

/** Names of the disk slots, in device order. The guest finds a slot by this name (virtio-blk serial). */
export const DISK_SLOTS = ['root', 'scratch', 'disk0', 'disk1', 'disk2'] as const;
export type DiskSlot = (typeof DISK_SLOTS)[number];

export interface DiskImage {
  /** Absolute path. */
  readonly path: string;
  /** Never probed. `vmdk` is a flat descriptor whose extents lie in files that {@link DiskImage.extents} lists. */
  readonly format: 'raw' | 'vmdk';
  readonly readOnly: boolean;
  /** Absolute paths of the files that a descriptor refers to. */
  readonly extents?: readonly string[];
}

export interface VmSpec {
  /** Unique among the VMs of this host; `[a-z0-9][a-z0-9-]*`, at most 64 characters. */
  readonly id: string;
  /** Absolute path of an empty directory for sockets, console and what else the VMM writes; mode 0700. Short: socket paths end at 107 bytes. */
  readonly directory: string;
  readonly boot: BootAssets;
  readonly shape: VmShape;
  readonly disks: Readonly<Partial<Record<DiskSlot, DiskImage>>>;
  /** Descriptors of the network card's transport, when the shape has one (see the Network port). */
  readonly network?: NetworkAttachment;
  /**
   * The guest's TCP and UDP sockets become sockets of the VMM (transparent socket impersonation): it shares the host's
   * network, its loopback included. Not together with a network card. Needs `tsi`.
   */
  readonly tsi?: TsiAttachment;
  /** The virtiofs share's server socket, when the shape has one. */
  readonly shareSocket?: string;
  /**
   * Is told of the VMM's process before that process does anything, so that it can be written down first: when this
   * process dies within the call, the VMM ends by itself unless the call had returned. Called again when the VMM is
   * started anew within one `create`. What it throws fails the creation.
   */
  readonly onLaunch?: (vmm: ProcessIdentity) => void;
  /** Created, but CPUs do not run before {@link Vm.resume}. Needs `pause`. */
  readonly paused?: boolean;
  /**
   * What the VM is a clone of; stays the caller's, and is not needed any more once `create` has returned. A disk of a clone
   * has the size that its slot has in a template (docs/compatibility.md): a read-only image may be smaller, a writable one
   * not. Needs `templates`.
   */
  readonly template?: Template;
}

/** What a template is made from. */
export interface TemplateSpec extends Pick<VmSpec, 'id' | 'directory' | 'boot' | 'shape' | 'onLaunch'> {
  /** Returns when the guest is as its clones shall find it, with no connection to its agent left open. */
  readonly prepare: (vm: Pick<Vm, 'agent' | 'exited'>) => Promise<void>;
}

/** A template on paper: plain JSON for a file. */
export interface TemplateRecord {
  readonly backend: string;
  /** Version of the backend's own part. */
  readonly version: number;
  /** {@link HypervisorProbe.fingerprint} under which it was made. */
  readonly fingerprint: string;
  readonly shape: VmShape;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A template at hand: its record, and descriptors of two files in memory that nobody can change any more. */
export interface Template {
  readonly record: TemplateRecord;
  /** The guest's memory, of the shape's size; what reads as zero is not there. Clones share what they do not change. */
  readonly memory: number;
  /** State of the devices. */
  readonly state: number;
}

/** How the network card's frames leave the VMM. */
export interface NetworkAttachment {
  /** A Unix stream socket that takes Ethernet frames behind a 4-byte big-endian length. Absolute path. */
  readonly socket: string;
  /** Six octets, lower-case hexadecimal with colons. */
  readonly mac: string;
}

/** What of a guest without a network card of its own can be reached from the host. */
export interface TsiAttachment {
  /** TCP ports of the guest, each at a port of the host on all its addresses; 1 to 65535. */
  readonly ports: readonly { readonly hostPort: number; readonly guestPort: number }[];
}

/** Where the guest's agent is reached (guest-init/proto/README.md). */
export interface AgentEndpoint {
  /** Unix stream socket; one connection at a time. */
  readonly socket: string;
  /**
   * Resolves when a connection is not made in vain: where the backend cannot hold one until the guest takes it, only then
   * when the guest listens. Never rejects; stays pending when the VM ends first.
   */
  readonly listening: Promise<void>;
}

/** What a VM has moved to and from its disks since it started, bytes, all slots together. */
export interface BlockCounters {
  readonly readBytes: bigint;
  readonly writtenBytes: bigint;
}

/** How a VM ended. */
export type VmExit =
  /** The guest powered off or rebooted by itself. Whether that was a goodbye is known to who spoke to the agent. */
  | { readonly kind: 'powered-off' }
  /** The VMM ended by itself with a failure. */
  | { readonly kind: 'vmm-failed'; readonly exitCode: number; readonly stderr: string }
  /** A signal ended the VMM. `outOfMemory` when the host's kernel killed it for lack of memory, where that can be told. */
  | { readonly kind: 'vmm-killed'; readonly signal: string; readonly outOfMemory: boolean; readonly requested: boolean }
  /** An adopted VMM is gone; how it ended was not seen. */
  | { readonly kind: 'unknown' };

/**
 * A running VM. Legal order: any method while it runs; after its end everything but `exited`, `consoleTail`, `kill`
 * and `close` throws VM_ENDED. Concurrency: calls are safe at the same time; pause, resume and swap take turns.
 */
export interface Vm {
  readonly id: string;
  readonly vmm: ProcessIdentity;
  readonly agent: AgentEndpoint;
  /** All that {@link Hypervisor.adopt} needs, as plain JSON. Constant for the life of the VM. */
  readonly record: VmRecord;
  /** Resolves once, when the VMM has ended and was reaped. Never rejects. */
  readonly exited: Promise<VmExit>;

  /** Stops the CPUs. Idempotent. @throws UNSUPPORTED without `pause` @throws VM_ENDED */
  pause(operation: Operation): Promise<void>;

  /** Lets the CPUs go on. Idempotent. @throws UNSUPPORTED without `pause` @throws VM_ENDED */
  resume(operation: Operation): Promise<void>;

  /**
   * Puts another image behind a slot; the guest must have flushed and closed it and drops its cache afterwards. The new
   * image is not larger than the slot. Cancelled: either the old or the new image is in the slot, never none.
   * @throws UNSUPPORTED without `swap-disk` @throws VM_ENDED @throws INVALID_ARGUMENT for an empty slot
   */
  swapDisk(slot: DiskSlot, image: DiskImage, operation: Operation): Promise<void>;

  /**
   * What the guest has read from its disks and written to them, as the VMM served it. A guest cannot take anything from
   * these figures; they never go back, over swaps and adoption neither.
   * @throws UNSUPPORTED without `block-counters` @throws VM_ENDED
   */
  blockCounters(operation: Operation): Promise<BlockCounters>;

  /**
   * Calls back each time that the VM stopped itself because the host's disk had no room for what it wrote, and soon when
   * it is so already; {@link Vm.resume} lets it go on and write again. A backend that cannot tell never calls.
   * @returns takes the callback away
   */
  onNoSpace(callback: () => void): () => void;

  /** The last `bytes` bytes of the guest's console, as UTF-8 with replacement. Works after the end until `close`. */
  consoleTail(bytes: number): Promise<string>;

  /** Ends the VMM with SIGKILL and resolves when it is gone. Idempotent. */
  kill(): Promise<void>;

  /** Frees what this handle holds without touching the VMM, so that it can be adopted. Idempotent. */
  close(): Promise<void>;
}

/** A VM on paper: plain JSON for a database. */
export interface VmRecord {
  readonly backend: string;
  /** Version of the backend's own part. */
  readonly version: number;
  readonly id: string;
  readonly vmm: ProcessIdentity;
  readonly directory: string;
  readonly details: Readonly<Record<string, unknown>>;
}
