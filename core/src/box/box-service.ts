import { randomBytes, randomUUID } from 'node:crypto';
import { BoxError } from '../errors/box-error.js';
import {
  ExecService,
  PtyService,
  ResizeRequest,
  SignalRequest,
  StartProcessRequest,
} from '../gen/a3s/box/agent/v1/agent.js';
import type { ImageStore } from '../ports/image-store.js';
import type { Operation } from '../ports/operation.js';
import { inject, injectable } from '../kernel/container.js';
import { ImageStoreToken } from '../service-tokens.js';
import { Activity } from '../supervisor/activity.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import type { RunningVm } from '../vm/running-vm.js';
import type { Span } from '../vm/tracer.js';
import { Box, type BoxExit, type ExecProcess } from './box.js';
import { makeBoxName } from './box-name.js';
import { CONTAINER_ID, BoxRunner } from './box-runner.js';
import { checkBoxSpec, type BoxSpec, type TerminalSize } from './box-spec.js';
import { compileExecProcess, compileOciConfig } from './oci-config.js';
import { ProcessIo } from './process-io.js';
import { signalNumber } from './signals.js';

const DEFAULT_STOP_SIGNAL = 'SIGTERM';
const SIGKILL = 9;
const KEPT_TRACES = 32;

/** A process to start in a running box. */
export interface ExecSpec {
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly terminal: boolean;
  readonly terminalSize?: TerminalSize;
  readonly stdinOpen: boolean;
  /** Nobody will attach: output is read and dropped. */
  readonly detached: boolean;
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
    private readonly runner: BoxRunner,
    private readonly activity: Activity,
  ) {}

  /** How many boxes there are. */
  get size(): number {
    return this.#boxes.size;
  }

  /**
   * Checks and records a box.
   * @throws INVALID_ARGUMENT, ALREADY_EXISTS, IMAGE_NOT_FOUND, BACKEND_UNAVAILABLE
   */
  async create(spec: BoxSpec, operation: Operation): Promise<Box> {
    checkBoxSpec(spec);
    if (spec.stopSignal !== undefined) signalNumber(spec.stopSignal);
    const image = await this.images.inspect(spec.image, operation);
    await this.backends.choose(spec.backend, operation);
    const isTaken = (wanted: string) => [...this.#boxes.values()].some((box) => box.name === wanted);
    const name = spec.name ?? makeBoxName(isTaken);
    if (isTaken(name)) {
      throw new BoxError('ALREADY_EXISTS', `box name "${name}" is in use`, { hint: 'choose another --name' });
    }
    const box = new Box(randomBytes(32).toString('hex'), name, spec, image);
    compileOciConfig(spec, image.config, box.hostname);
    this.#boxes.set(box.id, box);
    this.#uses.set(box.id, this.activity.begin());
    return box;
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

  list(): readonly Box[] {
    return [...this.#boxes.values()].sort((a, b) => Number(b.createdNs - a.createdNs));
  }

  /** Starts a created box; on return its main process runs. A box that cannot start and is to go away goes away. */
  async start(box: Box): Promise<void> {
    if (box.state.kind !== 'created') {
      throw new BoxError('CONFLICT', `box "${box.name}" was started before: it is ${box.state.kind}`);
    }
    box.state = { kind: 'starting' };
    try {
      await this.runner.start(box);
      box.succeedStart();
    } catch (error) {
      box.state = { kind: 'created' };
      box.failStart(error);
      this.#forget(box);
      throw error;
    }
    if (box.spec.autoRemove) void box.ended.then(() => this.#forget(box));
  }

  /**
   * Starts one more process in a running box; waits for one that starts.
   * @throws CONFLICT, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
   */
  async exec(box: Box, spec: ExecSpec, { signal }: Operation): Promise<ExecProcess> {
    if (box.state.kind === 'starting') await box.started;
    const { session } = runningVm(box);
    if (spec.command.length === 0) throw new BoxError('INVALID_ARGUMENT', 'exec was given no command');
    const { command, ...rest } = spec;
    const process = compileExecProcess({ ...rest, args: command }, box.spec, box.image.config, box.hostname);
    const exec: ExecProcess = { id: randomUUID(), terminal: spec.terminal, io: new ProcessIo() };
    const request = StartProcessRequest.create({
      containerId: CONTAINER_ID,
      processId: exec.id,
      process: Buffer.from(JSON.stringify(process)),
      stdin: spec.stdinOpen,
    });
    await session.call(ExecService.start, request, signal);
    box.execs.set(exec.id, exec);
    void this.#releaseExec(box, exec);
    if (spec.detached) exec.io.connect(session, CONTAINER_ID, exec.id);
    return exec;
  }

  /** The streams of a box's main process, or of an exec. @throws NOT_FOUND */
  streams(box: Box, execId: string): { readonly io: ProcessIo; readonly terminal: boolean } {
    if (execId === '') return { io: box.io, terminal: box.spec.terminal };
    const exec = box.execs.get(execId);
    if (!exec) throw new BoxError('NOT_FOUND', `box "${box.name}" has no exec "${execId}"`);
    exec.io.connect(runningVm(box).session, CONTAINER_ID, exec.id);
    return exec;
  }

  /** @param number Linux signal number @throws CONFLICT when the box does not run */
  async signal(box: Box, execId: string, number: number, operation: Operation): Promise<void> {
    if (box.state.kind === 'starting' && number === SIGKILL) return box.cancelStart();
    const request = SignalRequest.create({ containerId: CONTAINER_ID, processId: execId, signal: number });
    await runningVm(box).session.call(ExecService.signal, request, operation.signal);
  }

  async resize(box: Box, execId: string, size: TerminalSize, operation: Operation): Promise<void> {
    const request = ResizeRequest.create({ containerId: CONTAINER_ID, processId: execId, ...size });
    await runningVm(box).session.call(PtyService.resize, request, operation.signal);
  }

  /** Ends a box: its stop signal, then SIGKILL after the grace time. Returns at its end. Idempotent. */
  async stop(box: Box, graceMs: number): Promise<BoxExit | undefined> {
    if (box.state.kind === 'starting') box.cancelStart();
    if (box.state.kind === 'running') {
      const name = box.spec.stopSignal ?? box.image.config.stopSignal ?? DEFAULT_STOP_SIGNAL;
      const limit = AbortSignal.timeout(graceMs);
      await this.#signalForStop(box, graceMs > 0 ? signalNumber(name) : SIGKILL);
      const kill = () => void this.#signalForStop(box, SIGKILL);
      limit.addEventListener('abort', kill, { once: true });
      await box.ended;
      limit.removeEventListener('abort', kill);
    }
    return box.state.kind === 'created' ? undefined : box.ended.catch(() => undefined);
  }

  /** Forgets a box. @throws CONFLICT when it runs and `force` is not set */
  async remove(box: Box, force: boolean): Promise<void> {
    const busy = box.state.kind === 'running' || box.state.kind === 'starting' || box.state.kind === 'stopping';
    if (busy && !force) {
      throw new BoxError('CONFLICT', `box "${box.name}" is ${box.state.kind}`, { hint: 'stop it first, or force it' });
    }
    if (busy) await this.stop(box, 0);
    this.#forget(box);
  }

  /** Ends all boxes at once. */
  async close(): Promise<void> {
    await Promise.all(this.list().map((box) => this.remove(box, true)));
  }

  #forget(box: Box): void {
    this.#traces.set(box.id, box.tracer.spans);
    const [oldest = ''] = this.#traces.keys();
    if (this.#traces.size > KEPT_TRACES) this.#traces.delete(oldest);
    this.#boxes.delete(box.id);
    this.#uses.get(box.id)?.[Symbol.dispose]();
    this.#uses.delete(box.id);
  }

  /** A guest that cannot take the signal any more is about to end by itself, which the caller waits for. */
  async #signalForStop(box: Box, number: number): Promise<void> {
    const { state } = box;
    if (state.kind !== 'running') return;
    const request = SignalRequest.create({ containerId: CONTAINER_ID, signal: number });
    await state.vm.session.call(ExecService.signal, request).catch(() => state.vm.kill());
  }

  async #releaseExec(box: Box, exec: ExecProcess): Promise<void> {
    await exec.io.drained.catch(() => undefined);
    box.execs.delete(exec.id);
    if (box.state.kind !== 'running') return;
    const request = { containerId: CONTAINER_ID, processId: exec.id };
    // A session that is lost here takes its processes with it.
    await box.state.vm.session.call(ExecService.release, request).catch(() => undefined);
  }
}

function runningVm(box: Box): RunningVm {
  if (box.state.kind === 'running') return box.state.vm;
  throw new BoxError('CONFLICT', `box "${box.name}" does not run: it is ${box.state.kind}`);
}
