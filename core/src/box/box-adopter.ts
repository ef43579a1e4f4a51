import { BoxError, isBoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { Vm } from '../ports/hypervisor.js';
import type { ImageStore, RootDisk } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import { ImageStoreToken, LoggerToken } from '../service-tokens.js';
import type { RunRecord } from '../state/box-table.js';
import { FreeSpace } from '../state/free-space.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import type { RunningVm } from '../vm/running-vm.js';
import { VmManager } from '../vm/vm-manager.js';
import { unknownExit, type Box, type BoxExit } from './box.js';
import { BoxEnding } from './box-ending.js';
import { BoxExecs } from './box-execs.js';
import { BoxKeeper } from './box-keeper.js';
import { BoxNetworks } from './box-networks.js';
import { BoxLogs } from './box-logs.js';
import { BoxRecords } from './box-records.js';
import { CONTAINER_ID } from './container-start.js';
import type { HeldResources } from './held-resources.js';

const ADOPTION_LIMIT_MS = 15_000;

/** A box whose supervisor died or left, as its record says. */
export interface LeftBox {
  readonly box: Box;
  readonly run: RunRecord;
  /** There when it was known already how the workload ended. */
  readonly exit?: BoxExit | undefined;
}

/** Takes over boxes that an earlier supervisor started. */
@injectable()
export class BoxAdopter {
  constructor(
    @inject(ImageStoreToken) private readonly images: ImageStore,
    private readonly backends: BackendChooser,
    private readonly vms: VmManager,
    private readonly records: BoxRecords,
    private readonly networks: BoxNetworks,
    private readonly logs: BoxLogs,
    private readonly execs: BoxExecs,
    private readonly keeper: BoxKeeper,
    private readonly ending: BoxEnding,
    private readonly space: FreeSpace,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /**
   * Takes a box over: on return it runs or is paused under this supervisor, or it is recorded as ended. Never rejects for
   * a VM that is gone or does not answer: that is the end of its box.
   */
  async adopt(left: LeftBox): Promise<void> {
    const { box, run, exit } = left;
    const held = await this.#hold(box, run);
    let vm: Vm;
    try {
      vm = await this.#findVm(run);
    } catch (error) {
      this.logger.info({ box: box.id, error }, 'a box has ended while no supervisor was there');
      const gone = unknownExit(`the virtual machine ended while no supervisor was there`);
      return this.ending.finish(box, { run, exit: exit ?? gone, held });
    }
    await this.#takeOver(left, vm, held);
  }

  async #findVm(run: RunRecord): Promise<Vm> {
    const backend = this.backends.named(run.vm.backend);
    if (!backend) throw new BoxError('BACKEND_UNAVAILABLE', `backend "${run.vm.backend}" is not installed any more`);
    return backend.adopt(run.vm, { signal: AbortSignal.timeout(ADOPTION_LIMIT_MS) });
  }

  async #takeOver(left: LeftBox, vm: Vm, held: HeldResources): Promise<void> {
    const { box, run, exit } = left;
    let joined: RunningVm | 'stalled';
    try {
      joined = await this.#join(vm, run);
    } catch (error) {
      this.logger.error({ box: box.id, error }, 'the guest of a box does not answer its new supervisor');
      await vm.kill();
      const lost = unknownExit(`its guest did not answer after the supervisor had been away`);
      return this.ending.finish(box, { run, exit: exit ?? lost, held });
    }
    if (joined === 'stalled') {
      box.state = { kind: 'paused', vm, run, because: 'no-space' };
      void this.#afterRoom(left, vm, held);
    } else if (exit) {
      await this.ending.finish(box, { run, exit, held, vm: joined });
    } else {
      await this.#follow(box, joined, { ...run, sessionKey: joined.nextKey.toString('base64') }, held);
    }
  }

  /** A VM that stands still for want of room answers nobody. */
  async #join(vm: Vm, run: RunRecord): Promise<RunningVm | 'stalled'> {
    const stalled = new AbortController();
    const unsubscribe = vm.onNoSpace(() => stalled.abort());
    try {
      return await this.vms.rejoin(vm, Buffer.from(run.sessionKey, 'base64'), stalled);
    } catch (error) {
      if (stalled.signal.aborted) return 'stalled';
      throw error;
    } finally {
      unsubscribe();
    }
  }

  async #afterRoom(left: LeftBox, vm: Vm, held: HeldResources): Promise<void> {
    const ended = new AbortController();
    void vm.exited.then(() => ended.abort());
    const { signal } = ended;
    try {
      await this.space.waitForRoom(signal);
      await vm.resume({ signal });
    } catch (error) {
      // Where it was the VM's end, taking it over finds that out.
      if (!signal.aborted) this.logger.error({ box: left.box.id, error }, 'a paused box could not go on');
    }
    await this.#takeOver(left, vm, held);
  }

  async #follow(box: Box, vm: RunningVm, run: RunRecord, held: HeldResources): Promise<void> {
    // Before anything else is asked of the guest: from its next call on only the new key opens a session.
    this.records.enter(box, { kind: 'running', vm, run });
    const log = await this.logs.open(box);
    this.keeper.record({ box, vm, run, log });
    box.io.connect(vm.session, CONTAINER_ID, '', log.resume);
    this.execs.rejoin(box, vm);
    box.succeedStart();
    this.keeper.keep({ box, vm, run, held, log });
  }

  async #hold(box: Box, { network }: RunRecord): Promise<HeldResources> {
    const [root, endpoint] = await Promise.all([
      this.#holdRoot(box),
      network && this.networks.adopt(box, network.endpoint, { signal: AbortSignal.timeout(ADOPTION_LIMIT_MS) }),
    ]);
    return { ...(root && { root }), ...(endpoint && { endpoint }) };
  }

  async #holdRoot(box: Box): Promise<RootDisk | undefined> {
    try {
      return await this.images.rootDisk(box.image.id, { signal: AbortSignal.timeout(ADOPTION_LIMIT_MS) });
    } catch (error) {
      if (!isBoxError(error) || error.code !== 'IMAGE_NOT_FOUND') throw error;
      this.logger.warn({ box: box.id, image: box.image.id }, 'the image of a running box was removed');
      return undefined;
    }
  }
}
