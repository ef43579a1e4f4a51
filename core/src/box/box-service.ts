import { asBoxError } from '../errors/as-box-error.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { ExecService, PtyService, ResizeRequest, SignalRequest } from '../gen/a3s/box/agent/v1/agent.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import { LoggerToken } from '../service-tokens.js';
import { Activity } from '../supervisor/activity.js';
import type { Span } from '../vm/tracer.js';
import { Box, drawBoxId, nowNs, type BoxExit, type ExecProcess, type RestingState } from './box.js';
import { tellOf } from './box-events.js';
import { BoxChecks, type CheckedSpec } from './box-checks.js';
import { BoxDisks } from './box-disks.js';
import { BoxExecs, type ExecSpec } from './box-execs.js';
import { BoxKeeper } from './box-keeper.js';
import { BoxNetworks } from './box-networks.js';
import { makeBoxName } from './box-name.js';
import { BoxPauses } from './box-pauses.js';
import { BoxRecords } from './box-records.js';
import type {
  BeginOptions,
  BoxFollower,
  CreateWithOptions,
  RemoveOptions,
  RunOptions,
  StartOptions,
  StopOptions,
} from './box-requests.js';
import type { BoxSpec, TerminalSize } from './box-spec.js';
import { BoxStarter } from './box-starter.js';
import { CONTAINER_ID } from './container-start.js';
import { BoxEnding } from './box-ending.js';
import { findBox } from './find-box.js';
import { checkAttachable, endWorkload, runningVm, SIGKILL, stopSignalOf } from './guest-signals.js';
import type { ProcessIo } from './process-io.js';
import { signalNumber } from './signals.js';
import { SpareBoxes } from './spare-boxes.js';
import { orEnd } from './spare.js';

const KEPT_TRACES = 32;

/** All boxes of a home, and what can be done with them. */
@injectable()
export class BoxService {
  readonly #boxes = new Map<string, Box>();
  readonly #uses = new Map<string, Disposable>();
  readonly #followers: BoxFollower[] = [];
  /** Spans of the boxes that went away last, oldest first. */
  readonly #traces = new Map<string, readonly Span[]>();

  constructor(
    private readonly checks: BoxChecks,
    private readonly networks: BoxNetworks,
    private readonly records: BoxRecords,
    private readonly starter: BoxStarter,
    private readonly ending: BoxEnding,
    private readonly execs: BoxExecs,
    private readonly keeper: BoxKeeper,
    private readonly pauses: BoxPauses,
    private readonly spares: SpareBoxes,
    private readonly disks: BoxDisks,
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
   * Checks a box, has made what it needs, and records it.
   * @param id its full id @param options `prepare` makes what is to be there with the record, and notes it
   * @throws what {@link create} and `prepare` throw
   */
  async createWith(spec: BoxSpec, id: string, { prepare, signal }: CreateWithOptions): Promise<Box> {
    const box = this.#make(await this.#check(spec, { signal }), id);
    await prepare();
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
      this.records.insert(box, { kind: 'starting' }, this.starter.resources(box, false));
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

  /** Tells of the runs of boxes from now on. */
  follow(follower: BoxFollower): void {
    this.#followers.push(follower);
  }

  /** Takes a box over that an earlier supervisor recorded. */
  add(box: Box): void {
    this.#boxes.set(box.id, box);
    if (box.live) this.#use(box);
  }

  /** Finds a box by name, id, or unique prefix of its id. @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
  find(reference: string): Box {
    return findBox(this.#boxes.values(), reference);
  }

  /** Spans of a box's start; for a while also of one that is gone, by its full id. @throws NOT_FOUND */
  trace(reference: string): readonly Span[] {
    return this.#traces.get(reference) ?? this.find(reference).tracer.spans;
  }

  /** Newest first. */
  list(): readonly Box[] {
    return [...this.#boxes.values()].sort((a, b) => Number(b.createdNs - a.createdNs));
  }

  /**
   * Starts a box that is on record and does not run; on return its main process runs. One that runs already is left
   * alone. Its disk and its log go on from run to run. Failed: it is what it was before.
   * @throws CONFLICT for one that is paused, and what the start comes to nothing for
   */
  start(box: Box, options: StartOptions = {}): Promise<void> {
    return box.turns.take(() => this.#start(box, options));
  }

  /** Stops a box, if it runs, and starts it. @throws what {@link start} throws */
  restart(box: Box, options: Omit<StopOptions, 'forGood'>): Promise<void> {
    return box.turns.take(async () => {
      const { goesWithItsEnd } = box;
      // This end is not the one that it goes with.
      box.goesWithItsEnd = false;
      try {
        await this.stop(box, { ...options, forGood: false });
        box.asked = 'restart';
        await this.#start(box, {});
      } catch (error) {
        if (goesWithItsEnd && !box.live && !box.gone) await this.#remove(box, { force: false });
        throw error;
      } finally {
        box.goesWithItsEnd = goesWithItsEnd;
      }
    });
  }

  /** Stops a box's VM where it is. @throws CONFLICT, UNSUPPORTED where the backend cannot do it */
  pause(box: Box, operation: Operation): Promise<void> {
    return box.turns.take(() => this.pauses.pause(box, operation));
  }

  /** Lets it go on, with its clock set. @throws CONFLICT */
  unpause(box: Box, operation: Operation): Promise<void> {
    return box.turns.take(() => this.pauses.unpause(box, operation));
  }

  /**
   * Starts one more process in a running box; waits for one that starts.
   * @throws CONFLICT, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
   */
  async exec(box: Box, spec: ExecSpec, operation: Operation): Promise<ExecProcess> {
    if (box.state.kind === 'starting') await box.started;
    return this.execs.start(box, runningVm(box), spec, operation);
  }

  /** The streams of a box's main process, or of an exec. @throws NOT_FOUND, CONFLICT for one that has ended or is paused */
  streams(box: Box, execId: string): { readonly io: ProcessIo; readonly terminal: boolean } {
    if (execId === '') {
      checkAttachable(box);
      return { io: box.io, terminal: box.spec.terminal };
    }
    const exec = box.execs.get(execId);
    if (!exec) throw new BoxError('NOT_FOUND', `box "${box.name}" has no exec "${execId}"`);
    exec.io.read();
    return exec;
  }

  /** @param number Linux signal number @throws CONFLICT when the box does not run */
  async signal(box: Box, execId: string, number: number, operation: Operation): Promise<void> {
    const ending = execId === '' && (number === SIGKILL || number === stopSignalOf(box));
    if (ending) this.#markStopped(box);
    if (box.state.kind === 'starting' && number === SIGKILL) return box.cancelStart();
    if (box.state.kind === 'paused' && ending) {
      // As in Docker: what is to end it lets it go on.
      if (box.marks.pausedByUser) await this.pauses.unpause(box, operation);
      else if (number === SIGKILL) return box.state.vm.kill();
    }
    const request = SignalRequest.create({ containerId: CONTAINER_ID, processId: execId, signal: number });
    await runningVm(box).session.call(ExecService.signal, request, operation.signal);
    if (execId === '') this.#tellKill(box, number);
  }

  async resize(box: Box, execId: string, size: TerminalSize, operation: Operation): Promise<void> {
    const request = ResizeRequest.create({ containerId: CONTAINER_ID, processId: execId, ...size });
    await runningVm(box).session.call(PtyService.resize, request, operation.signal);
  }

  /** Ends a box: its stop signal, then SIGKILL after the grace time. Returns at its end. Idempotent. */
  async stop(box: Box, { graceMs, signal, forGood = true, told = true }: StopOptions): Promise<BoxExit | undefined> {
    const number = signal === undefined ? stopSignalOf(box) : signalNumber(signal);
    if (box.live && told) box.asked = 'stop';
    if (forGood) this.#markStopped(box);
    box.cancelRestart?.();
    if (box.state.kind === 'starting') box.cancelStart();
    // A machine that stands still takes no signal.
    await this.pauses.letEnd(box);
    if (box.state.kind === 'running')
      await endWorkload(box, { number, graceMs, onSent: (sent) => this.#tellKill(box, sent) });
    return box.state.kind === 'created' ? undefined : box.ended.catch(() => undefined);
  }

  /** Forgets a box and frees all that is its own. @throws CONFLICT when it runs and `force` is not set */
  remove(box: Box, options: RemoveOptions): Promise<void> {
    // Whoever starts it has its turn, which this ends.
    if (options.force && box.state.kind === 'starting') box.cancelStart();
    return box.turns.take(() => this.#remove(box, options));
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
    await Promise.all(this.list().map((box) => this.remove(box, { force: true })));
  }

  #check(spec: BoxSpec, operation: Operation): Promise<CheckedSpec> {
    return this.checks.check(spec, { ...operation, find: (reference) => this.find(reference) });
  }

  #make({ spec, image }: CheckedSpec, id = drawBoxId()): Box {
    const isTaken = (wanted: string) => [...this.#boxes.values()].some((box) => box.name === wanted);
    const name = spec.name ?? makeBoxName(isTaken);
    return new Box({ id, name, spec, image, createdNs: nowNs() });
  }

  async #start(box: Box, { prepare, signal, byPolicy = false }: StartOptions): Promise<void> {
    // While it waited for its turn, its user may have taken that back.
    if (byPolicy && !box.restarting) return;
    box.cancelRestart?.();
    if (box.state.kind === 'stopping') await box.ended;
    const { state: before } = box;
    if (before.kind === 'running') return prepare?.();
    if (before.kind === 'starting') return box.started;
    if (before.kind !== 'created' && before.kind !== 'exited' && before.kind !== 'dead') {
      throw new BoxError('CONFLICT', `box "${box.name}" cannot be started: it is ${before.kind}`, {
        ...(before.kind === 'paused' && { hint: `let it go on with 'a3s-box unpause ${box.name}'` }),
      });
    }
    if (box.gone) throw new BoxError('NOT_FOUND', `there is no box "${box.name}" any more`);
    const marks = { ...box.marks, pausedByUser: false };
    const changed = byPolicy
      ? { ...marks, restarts: marks.restarts + 1 }
      : { ...marks, restarts: 0, stoppedByUser: false };
    this.records.enter(
      box,
      { kind: 'starting', before },
      { resources: this.starter.resources(box, this.starter.hasDisk(box)), marks: changed },
    );
    if (before.kind !== 'created') box.renew();
    // From here on files are reached in its own guest.
    (await this.disks.take(box))[Symbol.dispose]();
    const cancel = () => box.cancelStart();
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted) cancel();
    try {
      await this.#begin(box, { prepare, before });
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  async #begin(box: Box, { prepare, spare, before }: BeginOptions = {}): Promise<void> {
    this.#use(box);
    try {
      await orEnd(spare, prepare);
      await this.starter.start(box, spare);
    } catch (error) {
      await this.#undo(box, before, asBoxError(error).message);
      box.failStart(asBoxError(error));
      if (before) box.renew();
      else this.#forget(box);
      if (before && before.kind !== 'created') box.end(before.exit);
      throw error;
    }
    box.succeedStart();
  }

  /** Frees what a start has left. On a full disk what cannot be written now is written when there is room. */
  async #undo(box: Box, before: RestingState | undefined, reason: string): Promise<void> {
    if (!before) box.volumesGoToo = true;
    const undo = () => (before ? this.starter.undo(box, before, reason) : this.ending.remove(box));
    try {
      await undo();
    } catch (error) {
      const full = isBoxError(error) && error.code === 'DISK_FULL';
      if (!full) this.logger.error({ box: box.id, error }, 'a start could not be undone');
      else void this.ending.whenThereIsRoom(box, undo);
    }
  }

  async #remove(box: Box, { force, volumes }: RemoveOptions): Promise<void> {
    if ((box.live || box.restarting) && !force) {
      const state = box.restarting ? 'restarting' : box.state.kind;
      throw new BoxError('CONFLICT', `box "${box.name}" is ${state}`, { hint: 'stop it first, or force it' });
    }
    if (volumes) box.volumesGoToo = true;
    if (box.live) {
      box.goesWithItsEnd = true;
      await this.stop(box, { graceMs: 0, told: false });
    }
    box.cancelRestart?.();
    if (box.gone) return;
    await this.disks.drop(box);
    await this.ending.remove(box);
    this.#forget(box);
  }

  #tellKill(box: Box, number: number): void {
    this.records.tell(tellOf(box, 'kill', { signal: String(number) }));
  }

  /** From here on no policy starts it again, also not under the next supervisor. */
  #markStopped(box: Box): void {
    if (!box.spec.restart || box.marks.stoppedByUser) return;
    this.records.amend(box, { marks: { ...box.marks, stoppedByUser: true } });
  }

  /** Keeps the supervisor there for as long as the box is live. */
  #use(box: Box): void {
    this.#uses.set(box.id, this.activity.begin());
    const free = () => {
      if (box.gone) this.#forget(box);
      this.#uses.get(box.id)?.[Symbol.dispose]();
      this.#uses.delete(box.id);
    };
    box.ended.then(free, free);
    for (const follower of this.#followers) follower.onRun(box);
  }

  #forget(box: Box): void {
    this.#traces.set(box.id, box.tracer.spans);
    const [oldest = ''] = this.#traces.keys();
    if (this.#traces.size > KEPT_TRACES) this.#traces.delete(oldest);
    this.#boxes.delete(box.id);
  }
}
