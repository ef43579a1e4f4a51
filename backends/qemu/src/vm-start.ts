import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxError, type HypervisorCapability, type VmRecord, type VmSpec } from '@a3s-box/core';
import { connectUnix, listenUnix } from '@a3s-box/native';
import { orCancelled, throwIfCancelled } from './cancellation.js';
import { launchConfined, type Confinement } from './confined-launch.js';
import { ConsoleLog } from './console-log.js';
import { DescriptorTable } from './descriptor-table.js';
import { deviceOptions, slotStates } from './device-options.js';
import { KernelCopy } from './kernel-copy.js';
import { kvmGroups } from './kvm-device.js';
import { isKeptSmall, machineOptions, type Accelerator } from './machine-options.js';
import { executablePaths, readablePaths, type QemuBinary } from './qemu-binary.js';
import { QmpClient, type QmpEvent } from './qmp-client.js';
import { QemuVm } from './qemu-vm.js';
import { SpaceAlarm } from './space-alarm.js';
import type { ShutdownEvent } from './vm-exit.js';
import { ChildVmm } from './vmm-process.js';

/** Version of {@link VmRecord.details} and of the files in a VM's directory. */
export const RECORD_VERSION = 1;

export const QEMU_CAPABILITIES: ReadonlySet<HypervisorCapability> = new Set([
  'pause',
  'swap-disk',
  'network-card',
  'share',
  'vmdk-disk',
]);

/** Files that a VM leaves in its directory; nothing else there is ours. */
const FILES = [
  ...['qmp.sock', 'agent.sock', 'console', 'console.log'],
  ...['root.vmdk', 'scratch.vmdk', 'disk0.vmdk', 'disk1.vmdk', 'disk2.vmdk'],
];
/** Threads of QEMU itself and of its I/O pool, beside one for each vCPU. */
const VMM_THREADS = 96;

/** The program and the way in which it runs guests. */
export interface Machine {
  readonly binary: QemuBinary;
  readonly accelerator: Accelerator;
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
  const subject = `start of vm ${spec.id}`;
  undo.defer(() => removeFiles(spec.directory));
  using kernel = new KernelCopy(spec.boot.kernel);
  const { vmm, console, qmp, shutdown, space } = await launch(spec, machine, kernel, undo);
  throwIfCancelled(signal, subject);
  await orCancelled(openOrFail(qmp, vmm, spec.id), signal, subject);
  kernel.empty();
  const slots = slotStates(spec);
  const record: VmRecord = {
    backend: 'qemu',
    version: RECORD_VERSION,
    id: spec.id,
    vmm: vmm.identity,
    directory: spec.directory,
    details: { slots },
  };
  const agent = { socket: agentSocket(spec.directory) };
  return new QemuVm({ record, agent, vmm, qmp, console, slots, shutdown, space });
}

interface Launched extends QmpConnection {
  readonly vmm: ChildVmm;
  readonly console: ConsoleLog;
}

async function launch(
  spec: VmSpec,
  { binary, accelerator }: Machine,
  kernelCopy: KernelCopy,
  undo: AsyncDisposableStack,
): Promise<Launched> {
  using table = new DescriptorTable();
  const { log: console, writer } = ConsoleLog.create(spec.directory, table);
  undo.defer(() => console.close());
  const kernel = table.open(`/proc/self/fd/${kernelCopy.descriptor}`, 'r');
  const initramfs = table.open(spec.boot.initramfs, 'r');
  const parameters = [
    ...machineOptions({
      name: spec.id,
      shape: spec.shape,
      accelerator,
      kernel: `/proc/self/fd/${kernel}`,
      initramfs: `/proc/self/fd/${initramfs}`,
    }),
    ...(spec.paused === true ? ['-S'] : []),
    ...deviceOptions(spec, table, { console: writer, ...openSockets(spec, table) }),
  ];
  // The socket listens already, so nothing has to wait for QEMU to make it.
  const connection = connectQmp(spec.directory, spec.id);
  undo.defer(() => connection.qmp.close());
  // A file in memory needs no rule, and Landlock takes none for it.
  const rights = { ...vmmRights(spec, { binary, accelerator }), table, readDescriptors: [initramfs] };
  const child = await launchConfined(binary.path, parameters, rights);
  const vmm = new ChildVmm(child);
  undo.defer(async () => {
    vmm.kill();
    await vmm.gone;
  });
  return { vmm, console, ...connection };
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

/** Waits until QEMU answers. A QEMU that ends first has refused an option, and said so on stderr. */
async function openOrFail(qmp: QmpClient, vmm: ChildVmm, id: string): Promise<void> {
  try {
    await qmp.open();
  } catch (cause) {
    await vmm.gone;
    const said = vmm.stderr.trim();
    throw new BoxError('VM_START_FAILED', `the VMM of ${id} ended before it ran${said === '' ? '' : `: ${said}`}`, {
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
}

/** Connects to a VMM. @throws NOT_FOUND when it listens no more */
export function connectQmp(directory: string, id: string): QmpConnection {
  let shutdown: ShutdownEvent | undefined;
  const space = new SpaceAlarm();
  const onEvent = ({ event, data }: QmpEvent): void => {
    if (event === 'SHUTDOWN') shutdown = { guest: data?.['guest'] === true, reason: String(data?.['reason']) };
    if (event === 'BLOCK_IO_ERROR' && data?.['nospace'] === true && data['action'] === 'stop') space.raise();
  };
  try {
    return { qmp: new QmpClient(qmpSocket(directory), onEvent), shutdown: () => shutdown, space };
  } catch (cause) {
    throw new BoxError('NOT_FOUND', `the VMM of ${id} listens no more`, { cause });
  }
}

/** Where the guest's agent is reached. */
export function agentSocket(directory: string): string {
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
