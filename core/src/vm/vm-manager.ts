import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { Sizing } from '../box/box-spec.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import type { ErrorCode } from '../errors/error-table.js';
import { AgentSession } from '../guest/agent-session.js';
import { FRESH_BOOT_SESSION_KEY, SESSION_KEY_BYTES } from '../guest/session-opening.js';
import type {
  BootAssets,
  DiskImage,
  NetworkAttachment,
  ProcessIdentity,
  TsiAttachment,
  Vm,
  VmShape,
  VmSpec,
} from '../ports/hypervisor.js';
import type { Operation } from '../ports/operation.js';
import { inject, injectable } from '../kernel/container.js';
import { BootAssetSourceToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';
import type { BackendChoice } from './backend-chooser.js';
import type { BootAssetSource } from './boot-asset-source.js';
import { DEFAULT_SCRATCH_BYTES } from './assets/scratch-disk.js';
import { RunningVm } from './running-vm.js';
import type { TemplateSubject } from './templates/template-key.js';
import { TemplateLibrary, type TemplateLease } from './templates/template-library.js';
import type { Tracer } from './tracer.js';
import { describeSilence, explainLoss } from './vm-loss.js';
import { checkSizing } from './check-sizing.js';

/** A clone that has not answered after this will not. It takes 0.2 s; the rest is for a host with much to do. */
const CLONE_LIMIT_MS = 30_000;
/** The same for one that boots, which takes a second or two under emulation. */
const BOOT_LIMIT_MS = 180_000;
/** Why a start failed that says nothing against its template. */
const OTHER_FAULTS: readonly ErrorCode[] = ['UNSUPPORTED', 'INVALID_ARGUMENT', 'DISK_FULL', 'PERMISSION_DENIED'];

export interface VmRequest {
  /** Full id of the box. */
  readonly boxId: string;
  readonly backend: BackendChoice;
  readonly root: DiskImage;
  readonly sizing: Sizing;
  readonly network?: NetworkAttachment;
  /** When the backend carries the network itself. */
  readonly tsi?: TsiAttachment;
  /** Socket of the server of the host's files. */
  readonly shareSocket?: string;
  /** Further disks. */
  readonly disks?: VmSpec['disks'];
  /** Size of the scratch disk. Absent: the usual one. */
  readonly scratchBytes?: number;
  readonly tracer: Tracer;
  /** Writes the VMM down before it does anything. */
  readonly onLaunch: (vmm: ProcessIdentity) => void;
  /** Whether it may be a clone. */
  readonly clone: boolean;
  /** Whether the box has its scratch disk already. Absent: no. */
  readonly scratchKept?: boolean;
  /** Absolute path of a scratch disk that is there and belongs to another; then none is made. */
  readonly scratch?: string;
}

/** What the shape of a VM follows from. */
export interface ShapeRequest {
  readonly backend: BackendChoice;
  readonly sizing: Sizing;
  readonly network: boolean;
}

/** Turns a box into a VM: scratch disk, VMM, and a first session with its agent. */
@injectable()
export class VmManager {
  constructor(
    private readonly home: HomeLayout,
    @inject(BootAssetSourceToken) private readonly assets: BootAssetSource,
    private readonly templates: TemplateLibrary,
  ) {}

  /**
   * Starts a VM and waits for its agent: as a clone where there is a template for it, else by booting, after which one is
   * made in the background. Failed or cancelled: no process is left; directories, which are the box's, stay.
   *
   * @throws TEMPLATE_UNUSABLE when a clone did not come up: its template is removed where it was at fault; what the VM was
   * to be started with is used up, the network's socket for one, and its directories are not empty
   * @throws INVALID_ARGUMENT for a size that the backend cannot do
   * @throws VM_CRASHED when the VM ended before its agent answered; details carry stderr and the console's tail
   * @throws VM_START_FAILED, ASSETS_MISSING, ASSETS_CORRUPT, DISK_FULL, CANCELLED
   */
  async start(request: VmRequest, { signal }: Operation): Promise<RunningVm> {
    checkSizing(request.sizing, request.backend.probe.limits);
    const directories = [this.home.boxVm(request.boxId), this.home.box(request.boxId)];
    await Promise.all(directories.map((path) => mkdir(path, { mode: 0o700, recursive: true })));
    const { subject, spec } = await this.#prepare(request, signal);
    using lease = await this.#lease(request, subject);
    if (!lease) {
      const vm = await this.#startVm(spec, { request, signal, key: FRESH_BOOT_SESSION_KEY });
      if (subject) this.templates.wish(subject);
      return vm;
    }
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(CLONE_LIMIT_MS)]);
      const start = { request, signal: limited, key: lease.sessionKey };
      return await this.#startVm({ ...spec, template: lease.template }, start);
    } catch (error) {
      signal.throwIfAborted();
      if (!isBoxError(error) || !OTHER_FAULTS.includes(error.code)) await this.templates.reject(lease.key, error);
      throw new BoxError('TEMPLATE_UNUSABLE', `a clone of template ${lease.key} did not come up`, { cause: error });
    }
  }

  /**
   * Makes the template for VMs of a shape, where there is none.
   * @returns its key
   * @throws INVALID_ARGUMENT for a size that the backend cannot do, UNSUPPORTED for a backend without templates, and what
   * {@link TemplateLibrary.create} throws
   */
  async makeTemplate({ backend, sizing, network }: ShapeRequest, { signal }: Operation): Promise<string> {
    checkSizing(sizing, backend.probe.limits);
    const subject = subjectOf(
      backend,
      await this.assets.boot({ signal, architecture: backend.architecture }),
      shapeOf(sizing, network),
    );
    if (subject) return this.templates.create(subject);
    throw new BoxError('UNSUPPORTED', `backend "${backend.hypervisor.name}" makes no templates`);
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
    const session = await AgentSession.open({ ...vm.agent, key, nextKey, signal });
    return new RunningVm(vm, session, nextKey, 'unknown');
  }

  /** Makes the disks. @returns what the VM is made from, and what templates for it are known by, if there can be any */
  async #prepare(
    request: VmRequest,
    signal: AbortSignal,
  ): Promise<{ readonly spec: VmSpec; readonly subject: TemplateSubject | undefined }> {
    const { boxId, backend, root, sizing, network, tsi, tracer, onLaunch, shareSocket, disks, scratchBytes } = request;
    const scratch = request.scratch ?? this.home.boxScratch(boxId);
    const kept = request.scratchKept === true || request.scratch !== undefined;
    const boot = await tracer.span('prepare disks', async () => {
      const [assets] = await Promise.all([
        this.assets.boot({ signal, architecture: backend.architecture }),
        kept
          ? undefined
          : this.assets.makeScratch(scratch, {
              signal,
              ...(scratchBytes !== undefined && { sizeBytes: scratchBytes }),
            }),
      ]);
      return assets;
    });
    const shape = shapeOf(sizing, network !== undefined, shareSocket !== undefined);
    const spec: VmSpec = {
      id: boxId.slice(0, 12),
      directory: this.home.boxVm(boxId),
      boot,
      shape,
      disks: { ...disks, root, scratch: { path: scratch, format: 'raw', readOnly: false } },
      ...(network && { network }),
      ...(tsi && { tsi }),
      ...(shareSocket !== undefined && { shareSocket }),
      onLaunch,
    };
    // A clone's disks are those of its template.
    const ordinary =
      Object.keys(disks ?? {}).length === 0 && (scratchBytes ?? DEFAULT_SCRATCH_BYTES) === DEFAULT_SCRATCH_BYTES;
    return { spec, subject: ordinary ? subjectOf(backend, boot, shape) : undefined };
  }

  async #lease({ clone, tracer }: VmRequest, subject: TemplateSubject | undefined): Promise<TemplateLease | undefined> {
    if (!clone || !subject) return undefined;
    return tracer.span('template', () => this.templates.take(subject));
  }

  async #startVm(spec: VmSpec, { request, key, signal }: StartOptions): Promise<RunningVm> {
    const { backend, tracer } = request;
    const origin = spec.template === undefined ? 'boot' : 'clone';
    await using undo = new AsyncDisposableStack();
    const vm = await tracer.span(origin === 'boot' ? 'start vmm' : 'start clone', () =>
      backend.hypervisor.create(spec, { signal }),
    );
    undo.defer(() => vm.close());
    undo.defer(() => vm.kill());
    const nextKey = randomBytes(SESSION_KEY_BYTES);
    const phase = origin === 'boot' ? 'boot guest' : 'wake guest';
    const session = await tracer.span(phase, () => openFirstSession(vm, { key, nextKey, signal }));
    undo.move();
    return new RunningVm(vm, session, nextKey, origin);
  }
}

function shapeOf({ vcpus, memoryBytes }: Sizing, network: boolean, share = false): VmShape {
  return { vcpus, memoryBytes, network, share };
}

/** @returns undefined where there can be no template: the backend makes none, or the state of a device cannot be taken */
function subjectOf(
  { hypervisor, probe }: BackendChoice,
  boot: BootAssets,
  shape: VmShape,
): TemplateSubject | undefined {
  const { fingerprint, capabilities } = probe;
  if (fingerprint === undefined || !capabilities.has('templates') || shape.share) return undefined;
  return { hypervisor, fingerprint, boot, shape };
}

interface StartOptions extends Operation {
  readonly request: VmRequest;
  /** Opens the first session. */
  readonly key: Buffer;
}

interface FirstSessionOptions extends Operation {
  readonly key: Buffer;
  readonly nextKey: Buffer;
}

/** Waits for the agent of a VM that starts; a VM that ends first is told at once, with what it said. */
async function openFirstSession(vm: Vm, options: FirstSessionOptions): Promise<AgentSession> {
  const { key, nextKey, signal } = options;
  const ended = new AbortController();
  void vm.exited.then(() => ended.abort());
  const late = AbortSignal.timeout(BOOT_LIMIT_MS);
  try {
    return await AgentSession.open({
      ...vm.agent,
      key,
      nextKey,
      signal: AbortSignal.any([signal, ended.signal, late]),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) throw await describeSilence(vm, BOOT_LIMIT_MS);
    throw await explainLoss(vm, error, 'before its agent answered');
  }
}
