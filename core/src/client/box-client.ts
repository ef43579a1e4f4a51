import type { BoxSpec, TerminalSize } from '../box/box-spec.js';
import { signalNumber } from '../box/signals.js';
import { FOR_EVER_MS } from '../box/time-limit.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { LifecycleService, PruneBoxesRequest } from '../gen/a3s/box/supervisor/v1/lifecycle.js';
import * as proto from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { HomeLayout } from '../store/home-layout.js';
import { Attachment, StreamsResponses } from './attachment.js';
import type {
  AttachOptions,
  RunOptions,
  RemoveOptions,
  LogsOptions,
  StopOptions,
  ExecSpec,
  ProcessReference,
} from './box-requests.js';
import type { CallOptions } from './call-options.js';
import { SUPERVISOR_PROTOCOL_MINOR } from './protocol-version.js';
import { layoutOf, prepareHome } from './home.js';
import { FilesClient } from './files-client.js';
import { ImageClient } from './image-client.js';
import {
  boxFrom,
  exitStatusFrom,
  infoFrom,
  logRecordFrom,
  processesFrom,
  specTo,
  updateTo,
} from './record-conversion.js';
import type {
  BoxProcesses,
  BoxRecord,
  BoxUpdate,
  CreatedBox,
  DiskUsage,
  ExitStatus,
  HostInfo,
  LogRecord,
  PrunedBoxes,
  PruneFilter,
  Span,
  SupervisorIdentity,
} from './records.js';
import { RegistryClient } from './registry-client.js';
import { SignatureClient } from './signature-client.js';
import { SnapshotClient } from './snapshot-client.js';
import { peerError, SupervisorConnection } from './supervisor-connection.js';
import { launchSupervisor, listensAt, type SupervisorCommand } from './supervisor-launch.js';
import { TemplateClient } from './template-client.js';
import { VolumeClient } from './volume-client.js';
import { WatchClient } from './watch-client.js';
import { CLIENT_VERSION } from './version.js';

/** A supervisor may go, idle, between its start and our first call; more often than this it is a fault. */
const ATTEMPTS = 3;

export interface ConnectOptions {
  /** A3S_BOX_HOME. Made, with mode 0700, where a supervisor is to be started. */
  readonly home: string;
  /**
   * How to start the supervisor where none runs. Without it, that is an error. For that of the package `a3s-box`:
   * `[process.execPath, fileURLToPath(import.meta.resolve('a3s-box/supervisor')), '--home', home, '--ready-descriptor', '3']`.
   */
  readonly supervisor?: SupervisorCommand;
  readonly signal?: AbortSignal;
}

/**
 * What programs use A3S Box with: a connection to the supervisor of one home.
 *
 * Boxes are named by name, id or unique prefix of the id. Every method rejects with a {@link BoxError}: that of the
 * supervisor, `SUPERVISOR_UNREACHABLE` when it went away, `CANCELLED` after an abort. Methods may be called at the
 * same time. The caller owns the client and closes it; boxes live on.
 */
export class BoxClient implements Disposable {
  /** The images of the home. */
  readonly images: ImageClient;
  /** The files of its boxes. */
  readonly files: FilesClient;
  /** Its boxes as they were at a moment. */
  readonly snapshots: SnapshotClient;
  /** The booted guests that its boxes are cloned from. */
  readonly templates: TemplateClient;
  readonly volumes: VolumeClient;
  /** Where images come from. */
  readonly registries: RegistryClient;
  /** Who has signed its images. */
  readonly signatures: SignatureClient;
  /** What happens in the home, and what is used. */
  readonly watching: WatchClient;
  readonly supervisor: SupervisorIdentity;
  readonly #connection: SupervisorConnection;

  private constructor(connection: SupervisorConnection, { pid, version, home }: SupervisorIdentity) {
    this.#connection = connection;
    this.supervisor = { pid, version, home };
    this.images = new ImageClient(connection);
    this.files = new FilesClient(connection);
    this.snapshots = new SnapshotClient(connection);
    this.templates = new TemplateClient(connection);
    this.volumes = new VolumeClient(connection);
    this.registries = new RegistryClient(connection);
    this.signatures = new SignatureClient(connection);
    this.watching = new WatchClient(connection);
  }

  /**
   * Connects to the home's supervisor, and starts it first where none runs.
   * @throws HOME_UNUSABLE, SUPERVISOR_UNREACHABLE, what the supervisor reports at its start
   * @throws SUPERVISOR_INCOMPATIBLE; of one that is older than this client the details have `supervisor`, a
   * {@link SupervisorIdentity}
   */
  static async connect({ home, supervisor, signal }: ConnectOptions): Promise<BoxClient> {
    const layout = layoutOf(home);
    if (supervisor) prepareHome(layout);
    for (let attempt = 1; ; attempt++) {
      if (!(await listensAt(layout.supervisorSocket, signal))) await start(layout, supervisor, signal);
      const connection = new SupervisorConnection(layout);
      try {
        const hello = await connection.hello(CLIENT_VERSION, supervisor?.distribution ?? '', signal);
        if (hello.protocolMinor >= SUPERVISOR_PROTOCOL_MINOR) return new BoxClient(connection, hello);
        if (!supervisor || attempt === ATTEMPTS) throw olderSupervisor(hello);
        // It hands over to one of this client's version: its boxes go on, and the next one finds them.
        await connection.call(proto.SupervisorService.stop, {}, signal);
        connection.close();
      } catch (error) {
        connection.close();
        const gone = isBoxError(error) && error.code === 'SUPERVISOR_UNREACHABLE';
        if (!gone || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** What this host can do: every backend with its probe. */
  async info({ signal }: CallOptions = {}): Promise<HostInfo> {
    return infoFrom(await this.#connection.call(proto.SupervisorService.info, {}, signal));
  }

  /**
   * Creates a box, joins its streams from their beginning, and starts it. Failed or cancelled before the box runs:
   * nothing of it is left. Afterwards the box does not depend on this program.
   * @param options `signal` gives up the start; later it closes the attachment
   */
  async run(spec: BoxSpec, options: RunOptions = {}): Promise<{ box: CreatedBox; attachment: Attachment }> {
    const { stdin = spec.stdinOpen, signal, onCreated } = options;
    const call = this.#connection.stream(proto.BoxesService.run, signal);
    const responses = new StreamsResponses(call, signal);
    call.write({ request: { $case: 'open', value: { spec: specTo(spec), detached: false, box: '' } } });
    if (!stdin) call.end();
    const box = await startedBox(responses, onCreated);
    return { box, attachment: new Attachment({ call, stdin, signal }, responses, spec.terminal) };
  }

  /** Creates and starts a box as {@link run} does, and leaves it to itself. */
  async runDetached(spec: BoxSpec, { signal, onCreated }: Omit<RunOptions, 'stdin'> = {}): Promise<CreatedBox> {
    const call = this.#connection.stream(proto.BoxesService.run, signal);
    const responses = new StreamsResponses(call, signal);
    call.end({ request: { $case: 'open', value: { spec: specTo(spec), detached: true, box: '' } } });
    return startedBox(responses, onCreated);
  }

  /** Checks and records a box; nothing runs yet. */
  async create(spec: BoxSpec, { signal }: CallOptions = {}): Promise<CreatedBox> {
    return this.#connection.call(proto.BoxesService.create, { spec: specTo(spec) }, signal);
  }

  /**
   * Starts a box that does not run; resolves once its main process does. Of one that ran before, disk and log go on. One
   * that runs is left alone.
   */
  async start(box: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(proto.BoxesService.start, { box }, signal);
  }

  /** Starts a box and joins its streams from the beginning of that run; one that runs is joined as it is. */
  async startAttached(
    box: string,
    { stdin = false, signal, onCreated }: RunOptions = {},
  ): Promise<{ box: CreatedBox; attachment: Attachment }> {
    const call = this.#connection.stream(proto.BoxesService.run, signal);
    const responses = new StreamsResponses(call, signal);
    call.write({ request: { $case: 'open', value: { spec: undefined, detached: false, box } } });
    if (!stdin) call.end();
    const started = await startedBox(responses, onCreated);
    const { terminal } = (await this.inspect(started.id, { ...(signal && { signal }) })).spec;
    return { box: started, attachment: new Attachment({ call, stdin, signal }, responses, terminal) };
  }

  /** Stops a box, if it runs, and starts it. @param options those of {@link stop} */
  async restart(box: string, { graceMs, stopSignal = '', signal }: StopOptions = {}): Promise<void> {
    const request = { box, signal: stopSignal, graceMs: graceOf(graceMs) };
    await this.#connection.call(LifecycleService.restart, request, signal);
  }

  /** Stops a box's VM where it is. @throws UNSUPPORTED where its backend cannot do that, CONFLICT */
  async pause(box: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(LifecycleService.pause, { box }, signal);
  }

  /** Lets a box go on, with its clock set. @throws CONFLICT for one that is not paused */
  async unpause(box: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(LifecycleService.unpause, { box }, signal);
  }

  async rename(box: string, name: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(LifecycleService.rename, { box, name }, signal);
  }

  /**
   * Changes limits and restart policy. Limits of a box that runs hold at once.
   * @throws CONFLICT for more than the machine has of a box that runs
   */
  async update(box: string, update: BoxUpdate, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(LifecycleService.update, updateTo(box, update), signal);
  }

  /** Removes the boxes that do not run. */
  async prune({ untilNs = 0n, labels = [] }: PruneFilter = {}, { signal }: CallOptions = {}): Promise<PrunedBoxes> {
    const request = PruneBoxesRequest.create({ untilNs, labels: [...labels] });
    const { removed, reclaimedBytes } = await this.#connection.call(LifecycleService.prune, request, signal);
    return { removed, reclaimedBytes: Number(reclaimedBytes) };
  }

  /** What runs in a box, whatever its image holds. */
  async top(box: string, { signal }: CallOptions = {}): Promise<BoxProcesses> {
    return processesFrom(await this.#connection.call(LifecycleService.top, { box }, signal));
  }

  /** What boxes, volumes and templates take on the disk. */
  async diskUsage({ signal }: CallOptions = {}): Promise<DiskUsage> {
    const { boxes, templateBytes, volumes } = await this.#connection.call(LifecycleService.diskUsage, {}, signal);
    return {
      boxes: new Map(boxes.map(({ id, bytes }) => [id, Number(bytes)])),
      templateBytes: Number(templateBytes),
      volumes: new Map(volumes.map(({ name, bytes }) => [name, Number(bytes)])),
    };
  }

  /**
   * Joins the streams of a box's main process, also before its start, or those of an exec, from now on.
   * @param options `signal` closes the attachment also later
   */
  async attach(box: string, options: AttachOptions = {}): Promise<Attachment> {
    const { execId = '', stdin = false, signal } = options;
    const call = this.#connection.stream(proto.BoxesService.attach, signal);
    call.write({ request: { $case: 'open', value: { box, execId, stdin } } });
    return Attachment.open({ call, stdin, signal });
  }

  /** Starts one more process in a running box. @returns its id */
  async exec(box: string, spec: ExecSpec, { signal }: CallOptions = {}): Promise<string> {
    const request = proto.ExecRequest.create({
      ...spec,
      box,
      command: [...spec.command],
      environment: [...(spec.environment ?? [])],
    });
    return (await this.#connection.call(proto.BoxesService.exec, request, signal)).execId;
  }

  /**
   * Sends a signal.
   * @param name as Docker takes it: `SIGTERM`, `term`, `15` (Linux numbers, whatever this host is), `RTMIN+3`
   * @throws INVALID_ARGUMENT for another
   */
  async signal({ box, execId = '' }: ProcessReference, name: string, { signal }: CallOptions = {}): Promise<void> {
    const request = { box, execId, signal: signalNumber(name) };
    await this.#connection.call(proto.BoxesService.signal, request, signal);
  }

  /** Sets the size of a process's terminal. */
  async resize(
    { box, execId = '' }: ProcessReference,
    size: TerminalSize,
    { signal }: CallOptions = {},
  ): Promise<void> {
    await this.#connection.call(proto.BoxesService.resize, { box, execId, size }, signal);
  }

  /** What a box's main process wrote, in its order. @param options `follow` goes on until the box ends */
  async *logs(box: string, options: LogsOptions = {}): AsyncGenerator<LogRecord, void, void> {
    const { follow = false, tail, sinceNs = 0n, untilNs = 0n, signal } = options;
    const request = { box, follow, sinceNs, untilNs, ...(tail === undefined ? {} : { tail: BigInt(tail) }) };
    const call = this.#connection.serverStream(proto.BoxesService.logs, proto.LogsRequest.create(request), signal);
    try {
      for await (const { records } of call as AsyncIterable<proto.LogRecords>) yield* records.map(logRecordFrom);
    } catch (error) {
      throw peerError(error, signal);
    } finally {
      call.cancel();
    }
  }

  /** Waits for the end of a box; one that has ended says so at once. */
  async wait(box: string, { signal }: CallOptions = {}): Promise<ExitStatus> {
    return exitStatusFrom(await this.#connection.call(proto.BoxesService.wait, { box }, signal));
  }

  /** Stops a box: its stop signal, then SIGKILL after `graceMs` milliseconds (default: the box's own, else 10 s; Infinity: never). */
  async stop(box: string, { graceMs, stopSignal = '', signal }: StopOptions = {}): Promise<void> {
    const request = proto.StopBoxRequest.create({ box, signal: stopSignal, graceMs: graceOf(graceMs) });
    await this.#connection.call(proto.BoxesService.stop, request, signal);
  }

  /** Forgets a box and frees all that is its own. @throws CONFLICT while it runs, unless `force` */
  async remove(box: string, { force = false, volumes = false, signal }: RemoveOptions = {}): Promise<void> {
    await this.#connection.call(proto.BoxesService.remove, { box, force, volumes }, signal);
  }

  async inspect(box: string, { signal }: CallOptions = {}): Promise<BoxRecord> {
    return boxFrom(await this.#connection.call(proto.BoxesService.inspect, { box }, signal));
  }

  /** The boxes that run. @param options `all`: also the others */
  async list({ all = false, signal }: CallOptions & { readonly all?: boolean } = {}): Promise<BoxRecord[]> {
    return (await this.#connection.call(proto.BoxesService.list, { all }, signal)).boxes.map(boxFrom);
  }

  /** The phases of a box's start, for traces. */
  async trace(box: string, { signal }: CallOptions = {}): Promise<Span[]> {
    return (await this.#connection.call(proto.BoxesService.trace, { box }, signal)).spans;
  }

  /** Ends the supervisor. Boxes go on; the next supervisor takes them over. */
  async stopSupervisor({ signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(proto.SupervisorService.stop, {}, signal);
  }

  /** Gives up the connection and every call on it. Idempotent. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function graceOf(graceMs: number | undefined): number | undefined {
  return graceMs === Infinity ? FOR_EVER_MS : graceMs;
}

/** The messages of a `Run` up to that its box was started. */
async function startedBox(
  responses: StreamsResponses,
  onCreated: ((box: CreatedBox) => void) | undefined,
): Promise<CreatedBox> {
  const box = await responses.expect('created');
  onCreated?.(box);
  await responses.expect('started');
  return box;
}

function olderSupervisor({ pid, version, home }: SupervisorIdentity): BoxError {
  return new BoxError(
    'SUPERVISOR_INCOMPATIBLE',
    `the supervisor that runs is version ${version}, older than this client (${CLIENT_VERSION})`,
    {
      hint: 'run any command of the newer a3s-box: it takes the boxes over',
      details: { supervisor: { pid, version, home } },
    },
  );
}

async function start(layout: HomeLayout, supervisor?: SupervisorCommand, signal?: AbortSignal): Promise<void> {
  if (supervisor) return launchSupervisor(layout, supervisor, signal);
  throw new BoxError('SUPERVISOR_UNREACHABLE', `no supervisor runs for the home ${layout.root}`, {
    hint: 'the first command that needs one starts it',
  });
}
