import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { Sizing } from '../box/box-spec.js';
import { BoxError } from '../errors/box-error.js';
import { AgentSession } from '../guest/agent-session.js';
import { FRESH_BOOT_SESSION_KEY, SESSION_KEY_BYTES } from '../guest/session-opening.js';
import type { DiskImage, NetworkAttachment, ProcessIdentity, Vm, VmExit, VmLimits } from '../ports/hypervisor.js';
import type { Operation } from '../ports/operation.js';
import { inject, injectable } from '../kernel/container.js';
import { BootAssetSourceToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';
import type { BackendChoice } from './backend-chooser.js';
import type { BootAssetSource } from './boot-asset-source.js';
import { RunningVm } from './running-vm.js';
import type { Tracer } from './tracer.js';

/** How much of the console an error carries, bytes. */
const CONSOLE_TAIL = 4096;
const MIB = 1024 * 1024;
/** How long a VMM that closed its sockets may take to be gone. */
const REAP_LIMIT_MS = 1000;

export interface VmRequest {
  /** Full id of the box. */
  readonly boxId: string;
  readonly backend: BackendChoice;
  readonly root: DiskImage;
  readonly sizing: Sizing;
  readonly network?: NetworkAttachment;
  readonly tracer: Tracer;
  /** Writes the VMM down before it does anything. */
  readonly onLaunch: (vmm: ProcessIdentity) => void;
}

/** Turns a box into a VM: scratch disk, VMM, and a first session with its agent. */
@injectable()
export class VmManager {
  constructor(
    private readonly home: HomeLayout,
    @inject(BootAssetSourceToken) private readonly assets: BootAssetSource,
  ) {}

  /**
   * Boots a VM and waits for its agent. Failed or cancelled: no process is left; directories, which are the box's, stay.
   *
   * @throws INVALID_ARGUMENT for a size that the backend cannot do
   * @throws VM_CRASHED when the VM ended before its agent answered; details carry stderr and the console's tail
   * @throws VM_START_FAILED, ASSETS_MISSING, ASSETS_CORRUPT, DISK_FULL, CANCELLED
   */
  async start(request: VmRequest, { signal }: Operation): Promise<RunningVm> {
    checkSizing(request.sizing, request.backend.probe.limits);
    const run = this.home.boxVm(request.boxId);
    const disks = this.home.box(request.boxId);
    const undo = new AsyncDisposableStack();
    try {
      await Promise.all([mkdir(run, { mode: 0o700, recursive: true }), mkdir(disks, { mode: 0o700, recursive: true })]);
      const vm = await this.#boot(request, signal);
      undo.defer(() => vm.close());
      undo.defer(() => vm.kill());
      const nextKey = randomBytes(SESSION_KEY_BYTES);
      const session = await openFirstSession(vm, { nextKey, tracer: request.tracer, signal });
      undo.move();
      return new RunningVm(vm, session, nextKey);
    } catch (error) {
      await undo.disposeAsync();
      throw error;
    }
  }

  /**
   * Opens a session with the agent of a VM that an earlier process started. The next key is to be recorded before
   * anything else is asked of the guest.
   *
   * @param key opens this session
   * @throws AGENT_UNREACHABLE when the VM ends first, CANCELLED
   */
  async rejoin(vm: Vm, key: Buffer, { signal: given }: Operation): Promise<RunningVm> {
    const nextKey = randomBytes(SESSION_KEY_BYTES);
    const ended = new AbortController();
    void vm.exited.then(() => ended.abort());
    const signal = AbortSignal.any([given, ended.signal]);
    const session = await AgentSession.open({ socket: vm.agent.socket, key, nextKey, signal });
    return new RunningVm(vm, session, nextKey);
  }

  async #boot(request: VmRequest, signal: AbortSignal): Promise<Vm> {
    const { boxId, backend, root, sizing, network, tracer, onLaunch } = request;
    const scratch = this.home.boxScratch(boxId);
    const boot = await tracer.span('prepare disks', async () => {
      const [assets] = await Promise.all([this.assets.boot({ signal }), this.assets.makeScratch(scratch, { signal })]);
      return assets;
    });
    return tracer.span('start vmm', () =>
      backend.hypervisor.create(
        {
          id: boxId.slice(0, 12),
          directory: this.home.boxVm(boxId),
          boot,
          shape: { ...sizing, network: network !== undefined, share: false },
          disks: { root, scratch: { path: scratch, format: 'raw', readOnly: false } },
          ...(network && { network }),
          onLaunch,
        },
        { signal },
      ),
    );
  }
}

interface FirstSessionOptions extends Operation {
  readonly nextKey: Buffer;
  readonly tracer: Tracer;
}

/** Waits for the agent of a VM that boots; a VM that ends first is told at once, with what it said. */
async function openFirstSession(vm: Vm, options: FirstSessionOptions): Promise<AgentSession> {
  const { nextKey, tracer, signal } = options;
  const ended = new AbortController();
  void vm.exited.then(() => ended.abort());
  try {
    return await tracer.span('boot guest', () =>
      AgentSession.open({
        socket: vm.agent.socket,
        key: FRESH_BOOT_SESSION_KEY,
        nextKey,
        signal: AbortSignal.any([signal, ended.signal]),
      }),
    );
  } catch (error) {
    signal.throwIfAborted();
    // A VMM that dies closes the agent's socket a moment before it can be reaped.
    const exit = await Promise.race([vm.exited, aborted(AbortSignal.timeout(REAP_LIMIT_MS))]);
    throw exit ? await describeCrash(vm, exit, 'before its agent answered') : error;
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

/** The error for a VM that ended by itself. @param when ends the message, for example `while it ran` */
export async function describeCrash(vm: Vm, exit: VmExit, when: string): Promise<BoxError> {
  const consoleTail = await vm.consoleTail(CONSOLE_TAIL);
  const stderr = exit.kind === 'vmm-failed' ? exit.stderr : '';
  const lastLines = (text: string) => text.trimEnd().split('\n').slice(-5).join('\n');
  const said = [stderr && `vmm: ${lastLines(stderr)}`, consoleTail && `console: ${lastLines(consoleTail)}`];
  return new BoxError('VM_CRASHED', `the virtual machine ended ${when}: ${describeExit(exit)}`, {
    hint: said.filter(Boolean).join('\n') || 'neither the VMM nor the console said why',
    details: { exit, stderr, consoleTail },
  });
}

/** One phrase for how a VM ended. */
export function describeExit(exit: VmExit): string {
  switch (exit.kind) {
    case 'powered-off':
      return 'the guest powered off without a goodbye';
    case 'vmm-failed':
      return `the VMM failed with exit status ${exit.exitCode}`;
    case 'vmm-killed':
      return exit.outOfMemory
        ? 'the host had no memory left and killed the VMM'
        : `the VMM was killed by ${exit.signal}`;
    case 'unknown':
      return 'how is not known';
  }
}

function checkSizing(sizing: Sizing, limits: VmLimits): void {
  const { vcpus, memoryBytes } = sizing;
  const { maxVcpus, minMemoryBytes, maxMemoryBytes } = limits;
  if (vcpus < 1 || vcpus > maxVcpus) {
    throw new BoxError('INVALID_ARGUMENT', `${vcpus} CPUs are more than this backend can give to a box`, {
      hint: `give --cpus from 0.01 to ${maxVcpus}`,
    });
  }
  if (memoryBytes < minMemoryBytes || memoryBytes > maxMemoryBytes) {
    throw new BoxError('INVALID_ARGUMENT', `a box cannot have ${memoryBytes / MIB} MiB of memory`, {
      hint: `give -m from ${minMemoryBytes / MIB}m to ${Math.floor(maxMemoryBytes / MIB)}m`,
    });
  }
}
