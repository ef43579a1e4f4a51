/**
 * A supervisor for tests of clients: the real protocol on a real socket, with processes of the host in the place of
 * boxes. It notes every request.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { BoxError } from '../../dist/errors/box-error.js';
import { toServiceError } from '../../dist/errors/grpc.js';
import { SUPERVISOR_PROTOCOL_MINOR } from '../../dist/client/protocol-version.js';
import * as proto from '../../dist/gen/a3s/box/supervisor/v1/supervisor.js';

export interface FakeOptions {
  readonly home: string;
  readonly protocolMinor?: number;
  /** Answers as a server of another protocol does. */
  readonly withoutHello?: boolean;
  /** File that every request is noted in, one JSON document a line. */
  readonly journal?: string;
  readonly notices?: string[];
}

interface FakeProcess {
  readonly started: PromiseWithResolvers<ChildProcess>;
  readonly exited: PromiseWithResolvers<proto.ExitStatus>;
  readonly terminal: boolean;
  /** How it ended. */
  exit?: proto.ExitStatus;
}

interface FakeBox extends FakeProcess {
  readonly id: string;
  readonly name: string;
  readonly spec: proto.BoxSpec;
  readonly execs: Map<string, FakeProcess>;
  /** What it wrote, where it was started by `Run`. */
  readonly log: proto.LogRecord[];
  readonly createdNs: bigint;
}

type Call = ServerDuplexStream<proto.AttachRequest, proto.AttachResponse>;
type RunCall = ServerDuplexStream<proto.RunRequest, proto.RunResponse>;

export class FakeSupervisor {
  readonly requests: { method: string; request: unknown }[] = [];
  /** Messages of stdin that were taken off attachments. */
  stdinTaken = 0;
  /** While set, attachments take no stdin. */
  holdStdin: Promise<void> | undefined;
  readonly #options: FakeOptions;
  readonly #server = new Server();
  #closing = false;
  readonly #boxes = new Map<string, FakeBox>();
  readonly #running = new Set<ChildProcess>();

  constructor(options: FakeOptions) {
    this.#options = options;
    const supervisor = {
      hello: this.#unary('hello', () => ({
        protocolMinor: options.protocolMinor ?? SUPERVISOR_PROTOCOL_MINOR,
        version: '9.8.7',
        pid: process.pid,
        home: options.home,
      })),
      info: this.#unary('info', () => this.#info()),
      stop: this.#unary('stop', () => ({})),
    };
    if (!options.withoutHello) this.#server.addService(proto.SupervisorService, supervisor);
    this.#server.addService(proto.ImagesService, {
      list: this.#unary('images.list', () => ({ images: [starter] })),
      inspect: this.#unary('images.inspect', () => ({
        image: starter,
        config: starterConfig,
        diffIds: ['sha256:01'],
        history: [{ created: '', createdBy: 'make', comment: '', sizeBytes: 7n }],
      })),
    });
    this.#server.addService(proto.BoxesService, {
      create: this.#unary('create', (r: proto.CreateBoxRequest) => this.#create(r.spec!)),
      start: this.#unary('start', (r: proto.StartBoxRequest) => this.#start(r.box)),
      exec: this.#unary('exec', (r: proto.ExecRequest) => this.#exec(r)),
      attach: (call: Call) => this.#attach(call),
      run: (call: RunCall) => this.#run(call),
      logs: (call: ServerWritableStream<proto.LogsRequest, proto.LogRecords>) => this.#logs(call),
      signal: this.#unary('signal', (r: proto.SignalRequest) => this.#signal(r)),
      resize: this.#unary('resize', () => ({})),
      wait: this.#unary('wait', (r: proto.WaitRequest) => this.#box(r.box).exited.promise),
      stop: this.#unary('stopBox', (r: proto.StopBoxRequest) => this.#stop(r)),
      remove: this.#unary('remove', (r: proto.RemoveBoxRequest) => this.#remove(r)),
      inspect: this.#unary('inspect', (r: proto.InspectBoxRequest) => this.#record(this.#box(r.box))),
      list: this.#unary('list', (r: proto.ListBoxesRequest) => ({
        boxes: [...this.#boxes.values()].filter(({ exit }) => r.all || !exit).map((box) => this.#record(box)),
      })),
      trace: this.#unary('trace', () => ({ spans: [{ name: 'boot', process: 'kernel', startNs: 5n, endNs: 9n }] })),
    });
  }

  get socket(): string {
    return `${this.#options.home}/run/supervisor.sock`;
  }

  async listen(): Promise<void> {
    mkdirSync(dirname(this.socket), { recursive: true, mode: 0o700 });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.bindAsync(`unix:${this.socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
    await promise;
  }

  /** Ends every process and connection. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#server.forceShutdown();
    await Promise.all([...this.#running].map((child) => (killGroup(child), once(child, 'close'))));
  }

  #unary<Request, Response>(method: string, handle: (request: Request) => Response | Promise<Response>) {
    return async ({ request }: { request: Request }, done: sendUnaryData<Response>) => {
      this.#note(method, request);
      try {
        done(null, await handle(request));
      } catch (error) {
        done({ name: 'error', message: '', ...toServiceError(error, new Metadata()) });
      }
    };
  }

  #note(method: string, request: unknown): void {
    this.requests.push({ method, request });
    if (this.#options.journal === undefined || this.#closing) return;
    const plain = (_key: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
    // A test that is over has taken its home away.
    if (existsSync(this.#options.home)) {
      appendFileSync(this.#options.journal, `${JSON.stringify({ method, request }, plain)}\n`);
    }
  }

  #create(spec: proto.BoxSpec): proto.CreateBoxResponse {
    if (spec.image === 'missing') {
      throw new BoxError('IMAGE_NOT_FOUND', 'image "missing" is not here', { hint: 'pull it', details: { image: 1 } });
    }
    const id = randomBytes(32).toString('hex');
    const name = spec.name || 'quiet_otter';
    const createdNs = BigInt(Date.now()) * 1_000_000n;
    this.#boxes.set(id, { id, name, spec, execs: new Map(), log: [], createdNs, ...newProcess(spec.terminal) });
    return { id, name, notices: this.#options.notices ?? [] };
  }

  #run(call: RunCall): void {
    call.once('error', () => {});
    call.once('data', ({ request }: proto.RunRequest) => {
      const open = request!.value as proto.RunOpen;
      this.#note('run', open);
      call.once('cancelled', () => this.#note('runCancelled', {}));
      this.#serveRun(call, open).catch((error: unknown) => call.emit('error', toServiceError(error, new Metadata())));
    });
  }

  async #serveRun(call: RunCall, { spec, detached }: proto.RunOpen): Promise<void> {
    const created = this.#create(spec!);
    call.write({ response: { $case: 'created', value: created } });
    const box = this.#box(created.id);
    try {
      await this.#start(created.id);
    } catch (error) {
      this.#boxes.delete(created.id);
      throw error;
    }
    call.write({ response: { $case: 'started', value: {} } });
    const child = await box.started.promise;
    const write = detached ? undefined : call.write.bind(call);
    const pump = async (stream: proto.Stream, source: ChildProcess['stdout']) => {
      for await (const data of source!) {
        box.log.push({ stream, timeNs: BigInt(Date.now()) * 1_000_000n, data: data as Buffer });
        if (call.cancelled || write?.({ response: { $case: 'output', value: { stream, data } } }) !== false) continue;
        await Promise.race([once(call, 'drain'), once(call, 'cancelled')]);
      }
    };
    const pumps = Promise.all([pump(proto.Stream.STDOUT, child.stdout), pump(proto.Stream.STDERR, child.stderr)]);
    if (detached) {
      call.end();
      return;
    }
    this.#feed(call, child).catch(() => {});
    await pumps;
    call.write({ response: { $case: 'exited', value: await box.exited.promise } });
    call.end();
  }

  async #logs(call: ServerWritableStream<proto.LogsRequest, proto.LogRecords>): Promise<void> {
    this.#note('logs', call.request);
    try {
      const box = this.#box(call.request.box);
      if (call.request.follow) await box.exited.promise;
      for (const record of box.log) call.write({ records: [record] });
      call.end();
    } catch (error) {
      call.emit('error', toServiceError(error, new Metadata()));
    }
  }

  async #stop({ box: reference }: proto.StopBoxRequest): Promise<proto.StopBoxResponse> {
    const box = this.#box(reference);
    (await box.started.promise).kill('SIGTERM');
    await box.exited.promise;
    return {};
  }

  #remove({ box: reference, force }: proto.RemoveBoxRequest): proto.RemoveBoxResponse {
    const box = this.#box(reference);
    if (!box.exit && !force) throw new BoxError('CONFLICT', `box ${box.name} runs`, { hint: 'force it' });
    box.started.promise.then(killGroup, () => {});
    this.#boxes.delete(box.id);
    return {};
  }

  async #start(id: string): Promise<proto.StartBoxResponse> {
    const box = this.#box(id);
    await this.#launch(box, [...box.spec.entrypoint, ...box.spec.command], box.spec.environment, box.spec.stdinOpen);
    void box.exited.promise.then(() => box.spec.autoRemove && this.#boxes.delete(box.id));
    return {};
  }

  async #exec(request: proto.ExecRequest): Promise<proto.ExecResponse> {
    const execId = randomBytes(4).toString('hex');
    const process = newProcess(request.terminal);
    this.#box(request.box).execs.set(execId, process);
    await this.#launch(process, request.command, request.environment, request.stdinOpen);
    return { execId };
  }

  async #signal({ box, execId, signal }: proto.SignalRequest): Promise<proto.SignalResponse> {
    (await this.#process(box, execId).started.promise).kill(signal as unknown as NodeJS.Signals);
    return {};
  }

  /** Starts a process of the host; with a terminal, one of util-linux `script`, so that it has a real one. */
  async #launch(target: FakeProcess, command: string[], environment: string[], stdin: boolean): Promise<void> {
    const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    const [program, ...args] = target.terminal ? ['script', '-qefc', quoted, '/dev/null'] : command;
    const child = spawn(program!, args, {
      detached: true,
      stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...Object.fromEntries(environment.map((e) => e.split(/=(.*)/s).slice(0, 2))) },
    });
    this.#running.add(child);
    child.once('close', () => this.#running.delete(child));
    child.once('exit', (code, signal) => target.exited.resolve((target.exit = statusOf(code, signal))));
    try {
      await once(child, 'spawn');
      target.started.resolve(child);
    } catch (error) {
      this.#running.delete(child);
      const { message, code } = error as NodeJS.ErrnoException;
      const failure = new BoxError(code === 'ENOENT' ? 'COMMAND_NOT_FOUND' : 'COMMAND_NOT_EXECUTABLE', message);
      target.started.reject(failure);
      throw failure;
    }
  }

  #attach(call: Call): void {
    call.once('error', () => {});
    call.once('data', (first: proto.AttachRequest) => {
      const open = first.request!.value as proto.AttachOpen;
      this.#note('attach', open);
      this.#join(call, open).catch((error: unknown) => call.emit('error', toServiceError(error, new Metadata())));
    });
  }

  async #join(call: Call, { box, execId }: proto.AttachOpen): Promise<void> {
    const target = this.#process(box, execId);
    call.write({ response: { $case: 'attached', value: { terminal: target.terminal } } });
    const child = await target.started.promise;
    // Ends with the call, however that ends.
    this.#feed(call, child).catch(() => {});
    const pump = async (stream: proto.Stream, source: ChildProcess['stdout']) => {
      for await (const data of source!) {
        if (!call.write({ response: { $case: 'output', value: { stream, data: data as Buffer } } })) {
          await new Promise((resolve) => call.once('drain', resolve));
        }
      }
    };
    await Promise.all([pump(proto.Stream.STDOUT, child.stdout), pump(proto.Stream.STDERR, child.stderr)]);
    call.write({ response: { $case: 'exited', value: await target.exited.promise } });
    call.end();
  }

  async #feed(call: Call | RunCall, child: ChildProcess): Promise<void> {
    child.stdin?.on('error', () => {});
    for await (const { request } of call as AsyncIterable<proto.AttachRequest | proto.RunRequest>) {
      await this.holdStdin;
      if (request?.$case === 'stdinEnd') child.stdin?.end();
      if (request?.$case !== 'stdin') continue;
      this.stdinTaken++;
      await new Promise<void>((resolve) =>
        child.stdin ? child.stdin.write(request.value, () => resolve()) : resolve(),
      );
    }
  }

  #box(reference: string): FakeBox {
    const boxes = [...this.#boxes.values()];
    // A name may look like the beginning of an id.
    const box = boxes.find(({ name }) => name === reference) ?? boxes.find(({ id }) => id.startsWith(reference));
    if (!box) throw new BoxError('NOT_FOUND', `no box "${reference}"`, { hint: 'list them' });
    return box;
  }

  #process(box: string, execId: string): FakeProcess {
    const found = execId ? this.#box(box).execs.get(execId) : this.#box(box);
    if (!found) throw new BoxError('NOT_FOUND', `no exec "${execId}"`);
    return found;
  }

  #record({ id, name, spec, exit, createdNs }: FakeBox): proto.BoxRecord {
    return proto.BoxRecord.create({
      id,
      name,
      spec,
      imageId: starter.id,
      state: exit ? 'exited' : 'running',
      createdNs,
      startedNs: createdNs,
      ...(exit && { exit, finishedNs: createdNs }),
      arguments: [...spec.entrypoint, ...spec.command],
      generation: 3n,
      network: spec.network || 'default',
      ports: spec.ports,
    });
  }

  #info(): proto.InfoResponse {
    const backend = {
      version: '7.2.0',
      capabilities: ['console'],
      maxVcpus: 8,
      minMemoryBytes: 1n,
      maxMemoryBytes: 9n,
    };
    return {
      supervisorPid: process.pid,
      home: this.#options.home,
      version: '9.8.7',
      chosenBackend: 'qemu',
      choiceReason: 'the only usable one',
      backends: [
        { ...backend, name: 'qemu', usable: true, reason: 'ok', acceleration: 'emulation', accelerator: 'tcg' },
        { ...backend, name: 'other', usable: false, reason: 'no /dev/kvm', acceleration: 'none', accelerator: '' },
      ],
      plugins: [{ name: '@a3s-box/qemu', version: '0.1.0', state: 'active', reason: '' }],
    };
  }
}

function newProcess(terminal: boolean): FakeProcess {
  const process = { started: Promise.withResolvers<ChildProcess>(), exited: Promise.withResolvers<proto.ExitStatus>() };
  process.started.promise.catch(() => {});
  process.exited.promise.catch(() => {});
  return { ...process, terminal };
}

/** Ends a process and its children. */
function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function statusOf(code: number | null, signal: NodeJS.Signals | null): proto.ExitStatus {
  const number = signal === null ? (code ?? 0) : 128 + constants.signals[signal];
  return { known: true, code: number, outOfMemory: false, timedOut: false, reason: '', timeNs: 77n };
}

const starter: proto.ImageRecord = {
  id: `sha256:${'ab'.repeat(32)}`,
  digest: `sha256:${'cd'.repeat(32)}`,
  names: ['docker.io/a3s/starter:latest'],
  repoDigests: [],
  platform: 'linux/amd64',
  created: '2024-01-02T03:04:05Z',
  sizeBytes: 2_000_000n,
};

const starterConfig = proto.ImageConfig.create({ command: ['sh'], environment: ['PATH=/bin'], labels: { a: 'b' } });
