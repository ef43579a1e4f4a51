import { asBoxError } from '../errors/as-box-error.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { ExecService, PtyService, ResizeRequest, SignalRequest } from '../gen/a3s/box/agent/v1/agent.js';
import { inject, injectable } from '../kernel/container.js';
import type { Image, ImageStore } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import { ImageStoreToken, LoggerToken } from '../service-tokens.js';
import { Activity } from '../supervisor/activity.js';
import { BackendChooser, type BackendChoice } from '../vm/backend-chooser.js';
import { architectureOf, checkImagePlatform } from '../vm/guest-architecture.js';
import type { RunningVm } from '../vm/running-vm.js';
import { checkVolumeMounts, normalPath, settleMounts, type VolumeMount } from '../volumes/volume-mount.js';
import { parseVolumesFrom } from '../volumes/volumes-from.js';
import { drawVolumeName } from '../volumes/volume-service.js';
import type { Span } from '../vm/tracer.js';
import { Box, drawBoxId, nowNs, type BoxExit, type BoxState, type ExecProcess } from './box.js';
import { BoxExecs, type ExecSpec } from './box-execs.js';
import { BoxKeeper } from './box-keeper.js';
import { BoxNetworks } from './box-networks.js';
import { makeBoxName } from './box-name.js';
import { BoxRecords } from './box-records.js';
import { checkBoxSpec, type BoxSpec, type TerminalSize } from './box-spec.js';
import { BoxStarter } from './box-starter.js';
import { CONTAINER_ID } from './container-start.js';
import { BoxEnding } from './box-ending.js';
import { BoxVolumes } from './box-volumes.js';
import { compileOciConfig } from './oci-config.js';
import type { ProcessIo } from './process-io.js';
import { signalNumber } from './signals.js';
import { SpareBoxes } from './spare-boxes.js';
import type { Spare } from './spare.js';

const DEFAULT_STOP_SIGNAL = 'SIGTERM';
const SIGKILL = 9;
const KEPT_TRACES = 32;

export interface RunOptions extends Operation {
  /** Is called when the box is recorded, before it starts. */
  readonly prepare: (box: Box) => Promise<void>;
}

/** A spec that a box can be made from. */
interface CheckedSpec {
  readonly spec: BoxSpec;
  readonly image: Image;
  readonly backend: BackendChoice;
}

interface BeginOptions {
  /** Is called before the start. */
  readonly prepare?: () => Promise<void>;
  readonly spare?: Spare;
}

/** All boxes of a home, and what can be done with them. */
@injectable()
export class BoxService {
  readonly #boxes = new Map<string, Box>();
  readonly #uses = new Map<string, Disposable>();
  /** Spans of the boxes that went away last, oldest first. */
  readonly #traces = new Map<string, readonly Span[]>();

  constructor(
    @inject(ImageStoreToken) private readonly images: ImageStore,
    private readonly backends: BackendChooser,
    private readonly networks: BoxNetworks,
    private readonly records: BoxRecords,
    private readonly starter: BoxStarter,
    private readonly ending: BoxEnding,
    private readonly volumes: BoxVolumes,
    private readonly execs: BoxExecs,
    private readonly keeper: BoxKeeper,
    private readonly spares: SpareBoxes,
    private readonly activity: Activity,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** Name of the box's network, or `none`. */
  networkOf(box: Box): string {
    return this.networks.nameOf(box.spec, undefined);
  }

  /** How many boxes there are. */
  get size(): number {
    return this.#boxes.size;
  }

  /**
   * Checks and records a box.
   * @throws INVALID_ARGUMENT, ALREADY_EXISTS, IMAGE_NOT_FOUND, BACKEND_UNAVAILABLE
   */
  async create(spec: BoxSpec, operation: Operation): Promise<Box> {
    const box = this.#make(await this.#check(spec, operation));
    this.records.insert(box, { kind: 'created' });
    this.#boxes.set(box.id, box);
    return box;
  }

  /**
   * Records a box and starts it, as one unit: failed, cancelled, or cut off by this process's death, nothing is left.
   * @throws what {@link create} and {@link start} throw, CANCELLED
   */
  async run(spec: BoxSpec, { prepare, signal }: RunOptions): Promise<Box> {
    const checked = await this.#check(spec, { signal });
    const spare = this.spares.take(checked);
    const box = this.#make(checked, spare?.id);
    try {
      this.records.insert(box, { kind: 'starting' }, this.starter.resources(box));
    } catch (error) {
      await spare?.end();
      throw error;
    }
    this.#boxes.set(box.id, box);
    const cancel = () => box.cancelStart();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      await this.#begin(box, { prepare: () => prepare(box), ...(spare && { spare }) });
    } finally {
      signal.removeEventListener('abort', cancel);
    }
    return box;
  }

  /** Takes a box over that an earlier supervisor recorded. */
  add(box: Box): void {
    this.#boxes.set(box.id, box);
    if (box.live) this.#use(box);
  }

  /** Finds a box by name, id, or unique prefix of its id. @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
  find(reference: string): Box {
    const boxes = [...this.#boxes.values()];
    const exact = boxes.find((box) => box.name === reference || box.id === reference);
    if (exact) return exact;
    const matches = /^[0-9a-f]+$/.test(reference) ? boxes.filter((box) => box.id.startsWith(reference)) : [];
    if (matches.length > 1) {
      throw new BoxError('AMBIGUOUS_REFERENCE', `"${reference}" stands for ${matches.length} boxes`, {
        hint: 'give more digits of the id, or the name',
      });
    }
    if (matches[0]) return matches[0];
    throw new BoxError('NOT_FOUND', `there is no box "${reference}"`);
  }

  /** Spans of a box's start; for a while also of one that is gone, by its full id. @throws NOT_FOUND */
  trace(reference: string): readonly Span[] {
    return this.#traces.get(reference) ?? this.find(reference).tracer.spans;
  }

  /** Newest first. */
  list(): readonly Box[] {
    return [...this.#boxes.values()].sort((a, b) => Number(b.createdNs - a.createdNs));
  }

  /** Starts a created box; on return its main process runs. A box that cannot start goes away. */
  async start(box: Box): Promise<void> {
    if (box.state.kind !== 'created') {
      throw new BoxError('CONFLICT', `box "${box.name}" was started before: it is ${box.state.kind}`);
    }
    this.records.enter(box, { kind: 'starting' }, this.starter.resources(box));
    await this.#begin(box);
  }

  /**
   * Starts one more process in a running box; waits for one that starts.
   * @throws CONFLICT, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
   */
  async exec(box: Box, spec: ExecSpec, operation: Operation): Promise<ExecProcess> {
    if (box.state.kind === 'starting') await box.started;
    return this.execs.start(box, runningVm(box), spec, operation);
  }

  /** The streams of a box's main process, or of an exec. @throws NOT_FOUND */
  streams(box: Box, execId: string): { readonly io: ProcessIo; readonly terminal: boolean } {
    if (execId === '') return { io: box.io, terminal: box.spec.terminal };
    const exec = box.execs.get(execId);
    if (!exec) throw new BoxError('NOT_FOUND', `box "${box.name}" has no exec "${execId}"`);
    exec.io.read();
    return exec;
  }

  /** @param number Linux signal number @throws CONFLICT when the box does not run */
  async signal(box: Box, execId: string, number: number, operation: Operation): Promise<void> {
    if (box.state.kind === 'starting' && number === SIGKILL) return box.cancelStart();
    if (box.state.kind === 'paused' && number === SIGKILL) return box.state.vm.kill();
    const request = SignalRequest.create({ containerId: CONTAINER_ID, processId: execId, signal: number });
    await runningVm(box).session.call(ExecService.signal, request, operation.signal);
  }

  async resize(box: Box, execId: string, size: TerminalSize, operation: Operation): Promise<void> {
    const request = ResizeRequest.create({ containerId: CONTAINER_ID, processId: execId, ...size });
    await runningVm(box).session.call(PtyService.resize, request, operation.signal);
  }

  /** Ends a box: its stop signal, then SIGKILL after the grace time. Returns at its end. Idempotent. */
  async stop(box: Box, graceMs: number): Promise<BoxExit | undefined> {
    const { state } = box;
    if (state.kind === 'starting') box.cancelStart();
    // A machine that stands still takes no signal.
    if (state.kind === 'paused') await state.vm.kill();
    if (state.kind === 'running') {
      const name = box.spec.stopSignal ?? box.image.config.stopSignal ?? DEFAULT_STOP_SIGNAL;
      const limit = AbortSignal.timeout(graceMs);
      await signalForStop(box.state, graceMs > 0 ? signalNumber(name) : SIGKILL);
      const kill = () => void signalForStop(box.state, SIGKILL);
      limit.addEventListener('abort', kill, { once: true });
      await box.ended;
      limit.removeEventListener('abort', kill);
    }
    return box.state.kind === 'created' ? undefined : box.ended.catch(() => undefined);
  }

  /**
   * Forgets a box and frees all that is its own.
   * @param volumes also the volumes that were made for it
   * @throws CONFLICT when it runs and `force` is not set
   */
  async remove(box: Box, force: boolean, volumes = false): Promise<void> {
    if (box.live && !force) {
      throw new BoxError('CONFLICT', `box "${box.name}" is ${box.state.kind}`, { hint: 'stop it first, or force it' });
    }
    if (volumes) box.volumesGoToo = true;
    if (box.live) {
      box.goesWithItsEnd = true;
      await this.stop(box, 0);
    }
    if (!this.#boxes.has(box.id)) return;
    await this.ending.remove(box);
    this.#forget(box);
  }

  /** Ends what was made ahead of its use, which keeps an image in use. */
  dropSpare(): Promise<void> {
    return this.spares.drop();
  }

  /** Lets go of all boxes: those that run go on, and the next supervisor takes them over. */
  async leave(): Promise<void> {
    const starting = this.list().filter(({ state }) => state.kind === 'starting');
    for (const box of starting) box.cancelStart();
    await Promise.allSettled(starting.map((box) => box.started));
    await this.keeper.leave();
  }

  /** Ends and removes all boxes. */
  async close(): Promise<void> {
    await Promise.all(this.list().map((box) => this.remove(box, true)));
  }

  async #check(given: BoxSpec, operation: Operation): Promise<CheckedSpec> {
    checkBoxSpec(given);
    if (given.stopSignal !== undefined) signalNumber(given.stopSignal);
    const image = await this.images.inspect(given.image, operation);
    checkImagePlatform(given.image, image, given.platform);
    const architecture = architectureOf(given.platform);
    const backend = await this.backends.choose(given.backend, { ...operation, architecture });
    // What was not asked for is settled here, so that it stays so.
    const spec = {
      ...given,
      network: this.networks.nameOf(given, backend),
      volumes: settleMounts(this.#mountsOf(given), image.config, drawVolumeName),
    };
    this.networks.check(spec, backend);
    checkVolumeMounts(spec.volumes);
    this.volumes.check(spec.volumes, backend);
    compileOciConfig(spec, image.config, spec.hostname ?? '');
    return { spec, image, backend };
  }

  /** What was asked for, and what the boxes have that are named for that; a mount at the same place goes before theirs. */
  #mountsOf({ volumes = [], volumesFrom = [] }: BoxSpec): readonly VolumeMount[] {
    const mounts = [...volumes];
    for (const { box, readOnly } of volumesFrom.map(parseVolumesFrom)) {
      for (const mount of this.find(box).spec.volumes ?? []) {
        const isTaken = mounts.some(({ target }) => normalPath(target) === normalPath(mount.target));
        if (!isTaken) mounts.push({ ...mount, readOnly: mount.readOnly || readOnly });
      }
    }
    return mounts;
  }

  #make({ spec, image }: CheckedSpec, id = drawBoxId()): Box {
    const isTaken = (wanted: string) => [...this.#boxes.values()].some((box) => box.name === wanted);
    const name = spec.name ?? makeBoxName(isTaken);
    return new Box({ id, name, spec, image, createdNs: nowNs() });
  }

  async #begin(box: Box, { prepare, spare }: BeginOptions = {}): Promise<void> {
    this.#use(box);
    try {
      await orEnd(spare, prepare);
      await this.starter.start(box, spare);
    } catch (error) {
      await this.#undo(box);
      box.failStart(asBoxError(error));
      this.#forget(box);
      throw error;
    }
    box.succeedStart();
  }

  /** Frees what a start has left. On a full disk what cannot be written now is written when there is room. */
  async #undo(box: Box): Promise<void> {
    box.volumesGoToo = true;
    try {
      await this.ending.remove(box);
    } catch (error) {
      const full = isBoxError(error) && error.code === 'DISK_FULL';
      if (!full) this.logger.error({ box: box.id, error }, 'a start could not be undone');
      else void this.ending.removeWhenThereIsRoom(box);
    }
  }

  /** Keeps the supervisor there for as long as the box is live. */
  #use(box: Box): void {
    this.#uses.set(box.id, this.activity.begin());
    const free = () => {
      if (box.goesWithItsEnd) this.#forget(box);
      this.#uses.get(box.id)?.[Symbol.dispose]();
      this.#uses.delete(box.id);
    };
    box.ended.then(free, free);
  }

  #forget(box: Box): void {
    this.#traces.set(box.id, box.tracer.spans);
    const [oldest = ''] = this.#traces.keys();
    if (this.#traces.size > KEPT_TRACES) this.#traces.delete(oldest);
    this.#boxes.delete(box.id);
  }
}

async function orEnd(spare: Spare | undefined, prepare: BeginOptions['prepare']): Promise<void> {
  try {
    await prepare?.();
  } catch (error) {
    await spare?.end();
    throw error;
  }
}

/** A guest that cannot take the signal any more is about to end by itself, which the caller waits for. */
async function signalForStop(state: BoxState, number: number): Promise<void> {
  if (state.kind === 'paused') return state.vm.kill();
  if (state.kind !== 'running') return;
  const request = SignalRequest.create({ containerId: CONTAINER_ID, signal: number });
  await state.vm.session.call(ExecService.signal, request).catch(() => state.vm.kill());
}

function runningVm({ name, state }: Box): RunningVm {
  if (state.kind === 'running') return state.vm;
  if (state.kind === 'paused') {
    if (state.because === 'unreachable') throw new BoxError('CONFLICT', `box "${name}" does not answer at the moment`);
    throw new BoxError('CONFLICT', `box "${name}" is paused: the host's disk is full`, { hint: 'free some space' });
  }
  throw new BoxError('CONFLICT', `box "${name}" does not run: it is ${state.kind}`);
}
