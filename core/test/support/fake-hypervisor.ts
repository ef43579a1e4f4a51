import { join } from 'node:path';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  BoxError,
  type BlockCounters,
  type Hypervisor,
  type HypervisorProbe,
  type Operation,
  type Vm,
  type VmExit,
  type VmRecord,
  type VmSpec,
} from '../../dist/index.js';
import {
  AgentService,
  ContainerService,
  ExecService,
  ExitStatus,
  HelloResponse,
  Stream,
  type AttachRequest,
  type AttachResponse,
  type ConfigureRequest,
  type CreateContainerRequest,
  type HelloRequest,
  type SignalRequest,
  type AttachOpen,
} from '../../dist/gen/a3s/box/agent/v1/agent.js';
import { FRESH_BOOT_SESSION_KEY } from '../../dist/guest/session-opening.js';
import { FakeGuest } from './fake-guest.ts';

type AttachCall = ServerDuplexStream<AttachRequest, AttachResponse>;
type Done<T> = (error: object | null, response?: T) => void;

/** A VM whose guest is in this process. The test plays the workload through it. */
export class FakeVm implements Vm {
  readonly id: string;
  readonly vmm = { pid: 1, startTime: '1' };
  readonly agent: { readonly socket: string; readonly listening: Promise<void> };
  readonly record;
  readonly guest: FakeGuest;
  readonly exited: Promise<VmExit>;
  readonly signals: SignalRequest[] = [];
  readonly processes: AttachOpen[] = [];
  configured: ConfigureRequest | undefined;
  container: CreateContainerRequest | undefined;
  goodbyes = 0;
  over = false;
  /** How processes beside the main one end, at once; undefined: they go on. */
  execExits: Partial<ExitStatus> | undefined;
  /** What the VMM counted; undefined: it does not count. */
  moved: BlockCounters | undefined;
  clockSteps = 0;
  pauses = 0;
  resumes = 0;
  /** What the workload wrote, from its beginning, and how it ended. */
  #output = Buffer.alloc(0);
  #exit: ExitStatus | undefined;
  #attach = Promise.withResolvers<AttachCall>();
  #noSpace: (() => void) | undefined;
  readonly #ended = Promise.withResolvers<VmExit>();

  constructor(spec: VmSpec, refuseStart: object | undefined) {
    this.id = spec.id;
    this.agent = { socket: join(spec.directory, 'agent.sock'), listening: Promise.resolve() };
    this.record = {
      backend: 'fake',
      version: 1,
      id: spec.id,
      vmm: this.vmm,
      directory: spec.directory,
      details: {},
    };
    this.exited = this.#ended.promise;
    this.guest = new FakeGuest(this.agent.socket, FRESH_BOOT_SESSION_KEY);
    this.guest.addService(AgentService, {
      hello: (call: { request: HelloRequest }, done: Done<HelloResponse>) => {
        this.guest.key = call.request.nextSessionKey;
        done(null, HelloResponse.create({ boottimeNs: 5n }));
      },
      setTime: (_call: unknown, done: Done<object>) => {
        this.clockSteps++;
        done(null, {});
      },
      configure: (call: { request: ConfigureRequest }, done: Done<object>) => {
        this.configured = call.request;
        done(null, {});
      },
      shutdown: (_call: unknown, done: Done<object>) => {
        this.goodbyes++;
        done(null, {});
        void this.end({ kind: 'powered-off' });
      },
    });
    this.guest.addService(ContainerService, {
      create: (call: { request: CreateContainerRequest }, done: Done<object>) => {
        this.container = call.request;
        done(null, {});
      },
      start: (_call: unknown, done: Done<object>) => (refuseStart ? done(refuseStart) : done(null, { pid: 2 })),
    });
    this.guest.addService(ExecService, {
      attach: (call: AttachCall) => call.once('data', (request: AttachRequest) => this.#attached(call, request)),
      signal: (call: { request: SignalRequest }, done: Done<object>) => {
        this.signals.push(call.request);
        done(null, {});
        if (call.request.signal === 9) void this.workloadExits({ code: 137, signal: 9 });
      },
      release: (_call: unknown, done: Done<object>) => done(null, {}),
    });
  }

  /** Writes to the newest attachment, as soon as there is one. */
  async writes(text: string): Promise<void> {
    const call = await this.#attach.promise;
    const offset = this.#output.length;
    this.#output = Buffer.concat([this.#output, Buffer.from(text)]);
    sendOutput(call, this.#output, offset);
  }

  async workloadExits(status: Partial<ExitStatus>): Promise<void> {
    const call = await this.#attach.promise;
    this.#exit = ExitStatus.create(status);
    sendExit(call, this.#exit);
  }

  /** What happens while nobody is attached. */
  goesOnAlone(text: string, status: Partial<ExitStatus>): void {
    this.#output = Buffer.concat([this.#output, Buffer.from(text)]);
    this.#exit = ExitStatus.create(status);
  }

  /** The host's disk is full. */
  stall(): void {
    this.#noSpace?.();
  }

  #attached(call: AttachCall, { request }: AttachRequest): void {
    const open = request?.$case === 'open' ? request.value : undefined;
    call.write({ response: { $case: 'opened', value: { from: undefined, stdinWindow: undefined, terminal: false } } });
    if (open?.start) {
      this.processes.push(open);
      if (this.execExits) sendExit(call, ExitStatus.create(this.execExits));
      return;
    }
    const from = Number(open?.from?.stdout ?? 0n);
    if (from < this.#output.length) sendOutput(call, this.#output, from);
    if (this.#exit) sendExit(call, this.#exit);
    this.#attach.resolve(call);
    this.#attach = Promise.withResolvers();
    this.#attach.resolve(call);
  }

  /** The VMM is gone. */
  async end(exit: VmExit): Promise<void> {
    this.over = true;
    this.guest.cut();
    await this.guest.close();
    this.#ended.resolve(exit);
  }

  async pause(): Promise<void> {
    this.pauses++;
  }
  async resume(_operation: Operation): Promise<void> {
    this.resumes++;
  }
  onNoSpace(callback: () => void): () => void {
    this.#noSpace = callback;
    return () => (this.#noSpace = undefined);
  }
  async swapDisk(): Promise<void> {}
  async blockCounters(): Promise<BlockCounters> {
    if (this.over) throw new BoxError('VM_ENDED', 'the fake has ended');
    if (!this.moved) throw new BoxError('UNSUPPORTED', 'the fake does not count');
    return this.moved;
  }
  async consoleTail(): Promise<string> {
    return 'Kernel panic - not syncing: test\n';
  }
  async kill(): Promise<void> {
    await this.end({ kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: true });
  }
  async close(): Promise<void> {}
}

function sendOutput(call: AttachCall, output: Buffer, offset: number): void {
  const value = { stream: Stream.STDOUT, offset: BigInt(offset), timeNs: 1n, data: output.subarray(offset) };
  call.write({ response: { $case: 'output', value } });
}

function sendExit(call: AttachCall, value: ExitStatus): void {
  call.write({ response: { $case: 'exited', value } });
  call.end();
}

/** Starts {@link FakeVm}s. */
export class FakeHypervisor implements Hypervisor {
  readonly name: string;
  readonly vms: FakeVm[] = [];
  probed: Partial<HypervisorProbe> = {};
  refuseStart: object | undefined;
  /** Does not answer the agent's handshake: such a guest never boots. */
  mute = false;
  #waiting: ((vm: FakeVm) => void)[] = [];

  constructor(name = 'fake') {
    this.name = name;
  }

  async probe(): Promise<HypervisorProbe> {
    return {
      usable: true,
      reason: 'it is a fake',
      acceleration: 'emulation',
      capabilities: new Set(),
      limits: { maxVcpus: 8, minMemoryBytes: 64 * 2 ** 20, maxMemoryBytes: 2 ** 33 },
      ...this.probed,
    };
  }

  async create(spec: VmSpec): Promise<Vm> {
    const vm = new FakeVm(spec, this.refuseStart);
    if (this.mute) vm.guest.key = Buffer.alloc(32, 1);
    await vm.guest.listen();
    this.vms.push(vm);
    for (const resolve of this.#waiting.splice(0)) resolve(vm);
    return vm;
  }

  async adopt(record: VmRecord): Promise<Vm> {
    const vm = this.vms.find(({ id, over }) => id === record.id && !over);
    if (!vm) throw new BoxError('NOT_FOUND', `there is no VM ${record.id}`);
    vm.guest.cut();
    return vm;
  }

  async makeTemplate(): Promise<never> {
    throw new BoxError('UNSUPPORTED', 'a fake makes no templates');
  }

  /** The VM that was created last, or the next one. */
  async vm(): Promise<FakeVm> {
    return this.vms.at(-1) ?? new Promise((resolve) => this.#waiting.push(resolve));
  }
}
