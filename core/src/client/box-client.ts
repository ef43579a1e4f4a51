import type { BoxSpec, TerminalSize } from '../box/box-spec.js';
import { signalNumber } from '../box/signals.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import * as proto from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { HomeLayout } from '../store/home-layout.js';
import { Attachment } from './attachment.js';
import type { CallOptions } from './call-options.js';
import { layoutOf, prepareHome } from './home.js';
import { ImageClient } from './image-client.js';
import { boxFrom, exitStatusFrom, infoFrom, specTo } from './record-conversion.js';
import type { BoxRecord, CreatedBox, ExitStatus, HostInfo, Span, SupervisorIdentity } from './records.js';
import { SupervisorConnection } from './supervisor-connection.js';
import { launchSupervisor, listensAt, type SupervisorCommand } from './supervisor-launch.js';
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

export interface AttachOptions extends CallOptions {
  /** An exec's streams instead of those of the box's main process. */
  readonly execId?: string;
  /** Whether stdin will be written. Default false. */
  readonly stdin?: boolean;
  /** The box is stopped, and removed if it was asked to be, when this attachment goes away before its end. */
  readonly owner?: boolean;
}

/** One more process in a running box. */
export interface ExecSpec {
  readonly command: readonly string[];
  /** `NAME=value`, or `NAME` to take it away. */
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  /** `user[:group]`, names or numbers. */
  readonly user?: string;
  readonly terminal?: boolean;
  readonly terminalSize?: TerminalSize;
  readonly stdinOpen?: boolean;
  /** Nobody will attach. */
  readonly detached?: boolean;
}

/** A process in a box: its main one, or an exec. */
export interface ProcessReference {
  /** Name, id or unique prefix of the id. */
  readonly box: string;
  readonly execId?: string;
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
  readonly supervisor: SupervisorIdentity;
  readonly #connection: SupervisorConnection;

  private constructor(connection: SupervisorConnection, { pid, version, home }: SupervisorIdentity) {
    this.#connection = connection;
    this.supervisor = { pid, version, home };
    this.images = new ImageClient(connection);
  }

  /**
   * Connects to the home's supervisor, and starts it first where none runs.
   * @throws HOME_UNUSABLE, SUPERVISOR_UNREACHABLE, SUPERVISOR_INCOMPATIBLE, what the supervisor reports at its start
   */
  static async connect({ home, supervisor, signal }: ConnectOptions): Promise<BoxClient> {
    const layout = layoutOf(home);
    if (supervisor) prepareHome(layout);
    for (let attempt = 1; ; attempt++) {
      if (!(await listensAt(layout.supervisorSocket, signal))) await start(layout, supervisor, signal);
      const connection = new SupervisorConnection(layout);
      try {
        return new BoxClient(connection, await connection.hello(CLIENT_VERSION, signal));
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

  /** Checks and records a box; nothing runs yet. */
  async create(spec: BoxSpec, { signal }: CallOptions = {}): Promise<CreatedBox> {
    return this.#connection.call(proto.BoxesService.create, { spec: specTo(spec) }, signal);
  }

  /** Starts a box's VM and its main process; resolves once that runs. */
  async start(box: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(proto.BoxesService.start, { box }, signal);
  }

  /**
   * Joins the streams of a box's main process, also before its start, or those of an exec.
   * @param options `signal` closes the attachment also later
   */
  async attach(box: string, options: AttachOptions = {}): Promise<Attachment> {
    const { execId = '', stdin = false, owner = false, signal } = options;
    const call = this.#connection.stream(proto.BoxesService.attach, signal);
    call.write({ request: { $case: 'open', value: { box, execId, stdin, owner } } });
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

  /** Waits for the end of a box. */
  async wait(box: string, { signal }: CallOptions = {}): Promise<ExitStatus> {
    return exitStatusFrom(await this.#connection.call(proto.BoxesService.wait, { box }, signal));
  }

  /** Stops a box: its stop signal, then SIGKILL after `graceMs` milliseconds (default 10 s). */
  async stop(
    box: string,
    { graceMs = 10_000, signal }: CallOptions & { readonly graceMs?: number } = {},
  ): Promise<void> {
    await this.#connection.call(proto.BoxesService.stop, { box, graceMs }, signal);
  }

  /** Forgets a box and frees all that is its own. @throws CONFLICT while it runs, unless `force` */
  async remove(box: string, { force = false, signal }: CallOptions & { readonly force?: boolean } = {}): Promise<void> {
    await this.#connection.call(proto.BoxesService.remove, { box, force }, signal);
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

  /** Ends the supervisor. @throws CONFLICT while a box runs */
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

async function start(layout: HomeLayout, supervisor?: SupervisorCommand, signal?: AbortSignal): Promise<void> {
  if (supervisor) return launchSupervisor(layout, supervisor, signal);
  throw new BoxError('SUPERVISOR_UNREACHABLE', `no supervisor runs for the home ${layout.root}`, {
    hint: 'the first command that needs one starts it',
  });
}
