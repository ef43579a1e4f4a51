import { openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BoxError,
  type AgentEndpoint,
  type HypervisorCapability,
  type Template,
  type VmRecord,
  type VmSpec,
} from '@a3s-box/core';
import { connectUnix, listenUnix } from '@a3s-box/native';
import {
  ChildVmm,
  type Confinement,
  ConsoleLog,
  DescriptorTable,
  KernelCopy,
  kvmGroups,
  launchConfined,
  orCancelled,
  type ShutdownEvent,
  throwIfCancelled,
} from '@a3s-box/vmm';
import { deviceOptions, slotStates, type DiskLayout } from './device-options.js';
import { isKeptSmall, machineOptions, type Accelerator, type MachineSpec } from './machine-options.js';
import { loadState, MigrationProgress } from './migration.js';
import { executablePaths, readablePaths, type QemuBinary } from './qemu-binary.js';
import { QmpClient, type QmpEvent } from './qmp-client.js';
import { QemuVm } from './qemu-vm.js';
import { SpaceAlarm } from './space-alarm.js';

/** Version of {@link VmRecord.details} and of the files in a VM's directory. */
export const RECORD_VERSION = 1;

export const QEMU_CAPABILITIES: ReadonlySet<HypervisorCapability> = new Set([
  'pause',
  'swap-disk',
  'block-counters',
  'network-card',
  'share',
  'vmdk-disk',
  'templates',
]);

/** Files that a VM leaves in its directory; nothing else there is ours. */
const FILES = [
  ...['qmp.sock', 'agent.sock', 'console', 'console.log'],
  ...['root.vmdk', 'scratch.vmdk', 'disk0.vmdk', 'disk1.vmdk', 'disk2.vmdk'],
];
/** Most that a template's device state may have, bytes; it is about a hundred KiB. */
const STATE_LIMIT = 64 * 1024 * 1024;
/** Threads of QEMU itself and of its I/O pool, beside one for each vCPU. */
const VMM_THREADS = 96;

/** Files that QEMU opens itself. */
const OPEN_FILES = 64;

/** The program and the way in which it runs guests. */
export interface Machine {
  readonly binary: QemuBinary;
  readonly accelerator: Accelerator;
  /** {@link HypervisorProbe.fingerprint} */
  readonly fingerprint: string;
}

/**
 * Starts QEMU and waits until it answers. Failed or cancelled: neither process nor file is left.
 *
 * @param spec as {@link checkSpec} lets it pass
 * @throws VM_START_FAILED, CONFINEMENT_FAILED, INVALID_ARGUMENT, UNSUPPORTED, CANCELLED
 */
export async function startVm(spec: VmSpec, machine: Machine, signal: AbortSignal): Promise<QemuVm> {
  const undo = new AsyncDisposableStack();
  try {
    const vm = await start(spec, machine, signal, undo);
    undo.move();
    return vm;
  } catch (error) {
    await undo.disposeAsync();
    throw error;
  }
}

async function start(spec: VmSpec, machine: Machine, signal: AbortSignal, undo: AsyncDisposableStack): Promise<QemuVm> {
  const { vmm, console, qmp, shutdown, space } = await launch({ spec, machine }, signal, undo);
  const slots = slotStates(spec, layoutOf(spec));
  const record: VmRecord = {
    backend: 'qemu',
    version: RECORD_VERSION,
    id: spec.id,
    vmm: vmm.identity,
    directory: spec.directory,
    details: { slots },
  };
  const agent = agentEndpoint(spec.directory);
  return new QemuVm({ record, agent, vmm, qmp, console, slots, shutdown, space });
}

export interface Launched extends QmpConnection {
  readonly vmm: ChildVmm;
  readonly console: ConsoleLog;
}

export interface LaunchOptions {
  readonly spec: VmSpec;
  readonly machine: Machine;
  /** Present when a template is to be made: descriptor of the file that its memory is to be; stays the caller's. */
  readonly memory?: number;
}

/**
 * Starts QEMU and returns when its machine stands.
 * @param undo ends what was started and removes its files
 * @throws as {@link startVm}
 */
export async function launch(
  options: LaunchOptions,
  signal: AbortSignal,
  undo: AsyncDisposableStack,
): Promise<Launched> {
  const { spec } = options;
  const subject = `start of vm ${spec.id}`;
  undo.defer(() => removeFiles(spec.directory));
  using kernel = spec.template === undefined ? new KernelCopy(spec.boot.kernel) : undefined;
  const { state, ...launched } = await spawnVmm(options, kernel, undo);
  throwIfCancelled(signal, subject);
  const { qmp, vmm, migration } = launched;
  const ready = async (): Promise<void> => {
    await qmp.open();
    if (state !== undefined) await loadState(qmp, migration, state);
  };
  await orCancelled(orFailed(ready(), vmm, spec), signal, subject);
  kernel?.empty();
  return launched;
}

async function spawnVmm(
  { spec, machine, memory }: LaunchOptions,
  kernel: KernelCopy | undefined,
  undo: AsyncDisposableStack,
): Promise<Launched & { readonly state: number | undefined }> {
  using table = new DescriptorTable();
  const { log: console, writer } = ConsoleLog.create(spec.directory, table);
  undo.defer(() => console.close());
  const origin =
    spec.template === undefined ? bootOrigin(spec, table, kernel, memory) : cloneOrigin(spec.template, table);
  const layout = memory === undefined ? layoutOf(spec) : 'template';
  const parameters = [
    ...machineOptions({ name: spec.id, shape: spec.shape, accelerator: machine.accelerator, ...origin.machine }),
    ...origin.options,
    ...(spec.paused === true ? ['-S'] : []),
    ...deviceOptions(spec, table, { console: writer, ...openSockets(spec, table) }, layout),
  ];
  // The socket listens already, so nothing has to wait for QEMU to make it.
  const connection = connectQmp(spec.directory, spec.id);
  undo.defer(() => connection.qmp.close());
  // A file in memory needs no rule, and Landlock takes none for it.
  const rights = { ...vmmRights(spec, machine), table, readDescriptors: origin.readDescriptors };
  const fileBytes = memory === undefined ? rights.fileBytes : STATE_LIMIT;
  const child = await launchConfined(machine.binary.path, parameters, { ...rights, fileBytes });
  const vmm = new ChildVmm(child);
  undo.defer(async () => {
    vmm.kill();
    await vmm.gone;
  });
  return { vmm, console, ...connection, state: origin.state };
}

/** Where a machine's memory and state come from. */
interface Origin {
  readonly machine: Pick<MachineSpec, 'boot' | 'memory'>;
  readonly options: readonly string[];
  readonly readDescriptors: readonly number[];
  readonly state?: number;
}

function bootOrigin(
  spec: VmSpec,
  table: DescriptorTable,
  kernelCopy: KernelCopy | undefined,
  memoryFile: number | undefined,
): Origin {
  const kernel = table.open(`/proc/self/fd/${kernelCopy?.descriptor}`, 'r');
  const initramfs = table.open(spec.boot.initramfs, 'r');
  const boot = { kernel: `/proc/self/fd/${kernel}`, initramfs: `/proc/self/fd/${initramfs}` };
  const readDescriptors = [initramfs];
  if (memoryFile === undefined) return { machine: { boot }, options: [], readDescriptors };
  const memory = { path: reopened(memoryFile, table), access: 'shared' } as const;
  // Without its run state the stream lets each clone run as soon as it was read.
  return { machine: { boot, memory }, options: ['-global', 'migration.store-global-state=off'], readDescriptors };
}

function cloneOrigin(template: Template, table: DescriptorTable): Origin {
  const memory = { path: reopened(template.memory, table), access: 'private' } as const;
  // An open file of its own, since clones read it at the same time.
  const state = table.add(openSync(`/proc/self/fd/${template.state}`, 'r'));
  return { machine: { memory }, options: ['-incoming', 'defer'], readDescriptors: [], state };
}

/** Path in the VMM of a file in memory, which QEMU opens for itself. */
function reopened(descriptor: number, table: DescriptorTable): string {
  return `/proc/self/fd/${table.add(openSync(`/proc/self/fd/${descriptor}`, 'r'))}`;
}

function layoutOf({ template }: VmSpec): DiskLayout {
  return template === undefined ? 'images' : 'template';
}

/** What a VMM may do beside using the descriptors that it inherits. */
export function vmmRights(
  spec: VmSpec,
  { binary, accelerator }: Machine,
): Omit<Confinement, 'table' | 'readDescriptors'> {
  const usesKvm = accelerator.kind === 'kvm';
  return {
    read: readablePaths(),
    execute: executablePaths(binary),
    devices: usesKvm ? ['/dev/kvm'] : [],
    groups: usesKvm ? kvmGroups() : [],
    sockets: 'inherited',
    openFiles: OPEN_FILES,
    fileBytes: largestFile(spec),
    threads: spec.shape.vcpus + VMM_THREADS,
    smallPages: !usesKvm && isKeptSmall(spec.shape.memoryBytes),
    onLaunch: spec.onLaunch ?? (() => undefined),
  };
}

/** Makes the sockets that QEMU listens on, and connects those that it is a client of. */
function openSockets(spec: VmSpec, table: DescriptorTable): SocketDescriptors {
  const connected = (path: string): number => table.add(connectUnix(path));
  return {
    qmp: table.add(listenUnix(qmpSocket(spec.directory))),
    agent: table.add(listenUnix(agentSocket(spec.directory))),
    ...(spec.network === undefined ? {} : { network: connected(spec.network.socket) }),
    ...(spec.shareSocket === undefined ? {} : { share: connected(spec.shareSocket) }),
  };
}

interface SocketDescriptors {
  readonly qmp: number;
  readonly agent: number;
  readonly network?: number;
  readonly share?: number;
}

/** A QEMU that ends before its machine stands has refused an option or a state, and said so on stderr. */
async function orFailed(ready: Promise<void>, vmm: ChildVmm, { id, template }: VmSpec): Promise<void> {
  try {
    await ready;
  } catch (cause) {
    // One that refused a command goes on.
    vmm.kill();
    await vmm.gone;
    const said = vmm.stderr.trim();
    const code = template === undefined ? 'VM_START_FAILED' : 'TEMPLATE_UNUSABLE';
    throw new BoxError(code, `the VMM of ${id} ended before it ran${said === '' ? '' : `: ${said}`}`, {
      details: { exit: vmm.exit(undefined), stderr: vmm.stderr },
      cause,
    });
  }
}

interface QmpConnection {
  readonly qmp: QmpClient;
  /** What QEMU said of its end so far. */
  readonly shutdown: () => ShutdownEvent | undefined;
  readonly space: SpaceAlarm;
  readonly migration: MigrationProgress;
}

/** Connects to a VMM. @throws NOT_FOUND when it listens no more */
export function connectQmp(directory: string, id: string): QmpConnection {
  let shutdown: ShutdownEvent | undefined;
  const space = new SpaceAlarm();
  const migration = new MigrationProgress();
  const onEvent = (message: QmpEvent): void => {
    const { event, data } = message;
    migration.take(message);
    if (event === 'SHUTDOWN') shutdown = { guest: data?.['guest'] === true, reason: String(data?.['reason']) };
    if (event === 'BLOCK_IO_ERROR' && data?.['nospace'] === true && data['action'] === 'stop') space.raise();
  };
  try {
    return { qmp: new QmpClient(qmpSocket(directory), onEvent), shutdown: () => shutdown, space, migration };
  } catch (cause) {
    throw new BoxError('NOT_FOUND', `the VMM of ${id} listens no more`, { cause });
  }
}

/** Where the guest's agent is reached. QEMU listens from its start, and keeps what comes before the guest does. */
export function agentEndpoint(directory: string): AgentEndpoint {
  return { socket: agentSocket(directory), listening: Promise.resolve() };
}

function agentSocket(directory: string): string {
  return join(directory, 'agent.sock');
}

function qmpSocket(directory: string): string {
  return join(directory, 'qmp.sock');
}

async function removeFiles(directory: string): Promise<void> {
  await Promise.all(FILES.map((name) => rm(join(directory, name), { force: true })));
}

/** Most bytes that the VMM may have in one file: those of its largest writable disk, or of the memory that it shares. */
function largestFile(spec: VmSpec): number {
  const writable = Object.values(slotStates(spec)).filter(({ readOnly }) => !readOnly);
  return Math.max(0, ...writable.map(({ bytes }) => bytes), spec.shape.share ? spec.shape.memoryBytes : 0);
}
