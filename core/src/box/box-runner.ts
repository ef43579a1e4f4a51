import {
  AgentService,
  ConfigureRequest,
  ContainerService,
  CreateContainerRequest,
  StartContainerRequest,
  type ExitStatus,
} from '../gen/a3s/box/agent/v1/agent.js';
import { asBoxError } from '../errors/as-box-error.js';
import { BoxError } from '../errors/box-error.js';
import type { ImageStore, RootDisk } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import { inject, injectable } from '../kernel/container.js';
import { ImageStoreToken, LoggerToken } from '../service-tokens.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import type { RunningVm } from '../vm/running-vm.js';
import { describeExit, VmManager } from '../vm/vm-manager.js';
import type { Box, BoxExit } from './box.js';
import { sizingOf } from './box-spec.js';
import { addBootSpans } from './boot-spans.js';
import { containerFiles } from './container-files.js';
import { compileOciConfig } from './oci-config.js';

/** The one container of a box, in the guest. */
export const CONTAINER_ID = 'box';
/** How long a guest may take to say goodbye after its workload ended. */
const GOODBYE_LIMIT_MS = 10_000;

/** Takes a box from created to ended: VM, container, streams, and the end of all of them. */
@injectable()
export class BoxRunner {
  constructor(
    @inject(ImageStoreToken) private readonly images: ImageStore,
    private readonly backends: BackendChooser,
    private readonly vms: VmManager,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /**
   * Starts a box. On return its main process runs. Failed: the box is as it was before, with nothing of the attempt left.
   *
   * @throws what the backend, the image store or the guest refused; CANCELLED when the box's start was given up
   */
  async start(box: Box): Promise<void> {
    const signal = box.startSignal;
    const undo = new AsyncDisposableStack();
    try {
      const backend = await this.backends.choose(box.spec.backend, { signal });
      const root = await box.tracer.span('root disk', () => this.images.rootDisk(box.image.id, { signal }));
      undo.defer(() => root.release());
      const sizing = sizingOf(box.spec);
      const vm = await this.vms.start(
        { boxId: box.id, backend, root: root.disk, sizing, tracer: box.tracer },
        { signal },
      );
      undo.defer(async () => {
        await vm.kill();
        await this.vms.removeFiles(box.id);
      });
      addBootSpans(box.tracer, vm.session.hello);
      await startContainer(box, vm, signal);
      box.io.connect(vm.session, CONTAINER_ID, '');
      const startedNs = BigInt(Date.now()) * 1_000_000n;
      box.state = { kind: 'running', vm, startedNs };
      undo.move();
      void this.#untilEnd(box, vm, root, startedNs);
    } catch (error) {
      await undo.disposeAsync();
      box.io.abandon(asBoxError(error));
      throw error;
    }
  }

  async #untilEnd(box: Box, vm: RunningVm, root: RootDisk, startedNs: bigint): Promise<void> {
    const timeout = new AbortController();
    const timer = box.spec.timeoutMs ? setTimeout(() => timeout.abort(), box.spec.timeoutMs) : undefined;
    const exit = await this.#watch(box, vm, timeout.signal);
    clearTimeout(timer);
    box.state = { kind: 'stopping', vm, startedNs };
    await this.#release(box, vm, root);
    box.state = { kind: exit.known ? 'exited' : 'dead', startedNs, exit };
    for (const { io } of box.execs.values()) io.abandon(new BoxError('CONFLICT', `box "${box.name}" has ended`));
    box.end(exit);
  }

  /** Waits for the first of: the workload's end, the VM's end, the time limit. */
  async #watch(box: Box, vm: RunningVm, timeout: AbortSignal): Promise<BoxExit> {
    const expired = Promise.withResolvers<undefined>();
    timeout.addEventListener('abort', () => expired.resolve(undefined), { once: true });
    const drained = box.io.drained.catch((error: unknown) => asBoxError(error));
    const first = await Promise.race([drained, vm.exited, expired.promise]);
    if (first === undefined)
      return { ...unknownExit('the time limit was reached'), known: true, code: 124, timedOut: true };
    if (!(first instanceof BoxError) && !('kind' in first)) return workloadExit(first);
    // Output that had arrived before the VM ended is still handed out, and an exit may be among it.
    const last = await drained;
    if (!(last instanceof BoxError)) return workloadExit(last);
    if (first instanceof BoxError && first.code !== 'AGENT_UNREACHABLE') return unknownExit(first.message);
    await vm.kill();
    return unknownExit(`the virtual machine ended: ${describeExit(await vm.exited)}`);
  }

  async #release(box: Box, vm: RunningVm, root: RootDisk): Promise<void> {
    // Nobody will read the disks of a box that goes away: no need to wait for its file systems.
    await box.tracer.span('end vmm', async () => {
      if (box.spec.autoRemove) await vm.kill();
      else await vm.shutDown(0, AbortSignal.timeout(GOODBYE_LIMIT_MS));
    });
    const results = await Promise.allSettled([vm.vm.close(), root.release(), this.vms.removeFiles(box.id)]);
    for (const result of results) {
      if (result.status === 'rejected')
        this.logger.error({ box: box.id, error: result.reason }, 'freeing a box failed');
    }
  }
}

async function startContainer(box: Box, vm: RunningVm, signal: AbortSignal): Promise<void> {
  const { session } = vm;
  const configure = ConfigureRequest.create({ hostname: box.hostname });
  const create = CreateContainerRequest.create({
    containerId: CONTAINER_ID,
    config: Buffer.from(JSON.stringify(compileOciConfig(box.spec, box.image.config, box.hostname))),
    rootFilesystem: { imageSlot: 'root', scratchSlot: 'scratch', scratchDirectory: CONTAINER_ID },
    files: containerFiles(box.hostname),
  });
  // Neither needs the other, and the way to the guest and back is a good part of a short call.
  await Promise.all([
    box.tracer.span('configure guest', () => session.call(AgentService.configure, configure, signal)),
    box.tracer.span('create container', () => session.call(ContainerService.create, create, signal)),
  ]);
  const start = StartContainerRequest.create({ containerId: CONTAINER_ID, stdin: box.spec.stdinOpen });
  await box.tracer.span('start container', () => session.call(ContainerService.start, start, signal));
}

function workloadExit(status: ExitStatus): BoxExit {
  return {
    known: true,
    code: status.code,
    outOfMemory: status.outOfMemory,
    timedOut: false,
    reason: status.outOfMemory ? 'the workload ran out of memory' : '',
    timeNs: status.timeNs,
  };
}

function unknownExit(reason: string): BoxExit {
  return {
    known: false,
    code: 0,
    outOfMemory: false,
    timedOut: false,
    reason,
    timeNs: BigInt(Date.now()) * 1_000_000n,
  };
}
