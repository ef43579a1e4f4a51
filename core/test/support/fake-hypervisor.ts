import { join } from 'node:path';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Hypervisor, HypervisorProbe, Vm, VmExit, VmSpec } from '../../dist/index.js';
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
  type SignalRequest,
  type StartProcessRequest,
} from '../../dist/gen/a3s/box/agent/v1/agent.js';
import { FRESH_BOOT_SESSION_KEY } from '../../dist/guest/session-opening.js';
import { FakeGuest } from './fake-guest.ts';

type AttachCall = ServerDuplexStream<AttachRequest, AttachResponse>;
type Done<T> = (error: object | null, response?: T) => void;

/** A VM whose guest is in this process. The test plays the workload through it. */
export class FakeVm implements Vm {
  readonly id: string;
  readonly vmm = { pid: 1, startTime: '1' };
  readonly agent: { socket: string };
  readonly record;
  readonly guest: FakeGuest;
  readonly exited: Promise<VmExit>;
  readonly signals: SignalRequest[] = [];
  readonly processes: StartProcessRequest[] = [];
  configured: ConfigureRequest | undefined;
  container: CreateContainerRequest | undefined;
  goodbyes = 0;
  #attach = Promise.withResolvers<AttachCall>();
  readonly #ended = Promise.withResolvers<VmExit>();

  constructor(spec: VmSpec, refuseStart: object | undefined) {
    this.id = spec.id;
    this.agent = { socket: join(spec.directory, 'agent.sock') };
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
      hello: (_call: unknown, done: Done<HelloResponse>) => done(null, HelloResponse.create({ boottimeNs: 5n })),
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
      start: (call: { request: StartProcessRequest }, done: Done<object>) => {
        this.processes.push(call.request);
        done(null, { pid: 3 });
      },
      attach: (call: AttachCall) => this.#attach.resolve(call),
      signal: (call: { request: SignalRequest }, done: Done<object>) => {
        this.signals.push(call.request);
        done(null, {});
        if (call.request.signal === 9) void this.workloadExits({ code: 137, signal: 9 });
      },
      release: (_call: unknown, done: Done<object>) => done(null, {}),
    });
  }

  async writes(text: string): Promise<void> {
    const call = await this.#attach.promise;
    call.write({
      response: {
        $case: 'output',
        value: { stream: Stream.STDOUT, offset: 0n, timeNs: 1n, data: Buffer.from(text) },
      },
    });
  }

  async workloadExits(status: Partial<ExitStatus>): Promise<void> {
    const call = await this.#attach.promise;
    call.write({ response: { $case: 'exited', value: ExitStatus.create(status) } });
    call.end();
  }

  /** The VMM is gone. */
  async end(exit: VmExit): Promise<void> {
    this.guest.cut();
    await this.guest.close();
    this.#ended.resolve(exit);
  }

  async pause(): Promise<void> {}
  async resume(): Promise<void> {}
  async swapDisk(): Promise<void> {}
  async consoleTail(): Promise<string> {
    return 'Kernel panic - not syncing: test\n';
  }
  async kill(): Promise<void> {
    await this.end({ kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: true });
  }
  async close(): Promise<void> {}
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

  async adopt(): Promise<Vm> {
    throw new Error('not used');
  }

  /** The VM that was created last, or the next one. */
  async vm(): Promise<FakeVm> {
    return this.vms.at(-1) ?? new Promise((resolve) => this.#waiting.push(resolve));
  }
}
