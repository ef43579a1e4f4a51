import { setTimeout as delay } from 'node:timers/promises';
import { asBoxError } from '../errors/as-box-error.js';
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
import { watchFileServer, type FileServerWatch } from '../volumes/file-server-watch.js';
import { describeExit } from '../vm/vm-loss.js';
import { VmManager } from '../vm/vm-manager.js';
import { unknownExit, type Box, type BoxExit } from './box.js';
import { BoxEnding } from './box-ending.js';
import { BoxExecs } from './box-execs.js';
import { BoxKeeper } from './box-keeper.js';
import { BoxNetworks } from './box-networks.js';
import { BoxLogs } from './box-logs.js';
import { BoxRecords } from './box-records.js';
import { CONTAINER_ID } from './container-start.js';
import { leaveHeld, type HeldResources } from './held-resources.js';

/** How long a backend, a network or an image store may take to find its part of a box again. */
const ADOPTION_LIMIT_MS = 15_000;
/** How long a supervisor that starts waits for the guests of its boxes before it serves without them. */
const PATIENCE_MS = 5000;

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
  readonly #leaving = new AbortController();
  readonly #paused = new Map<Box, { readonly goOn: () => void; readonly taken: Promise<void> }>();

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
   * a VM that is gone: that is the end of its box.
   */
  async adopt(left: LeftBox): Promise<void> {
    const { box, run, exit } = left;
    const held = await this.#hold(box, run);
    let vm: Vm;
    try {
      vm = await this.#findVm(run);
    } catch (error) {
      const lost = asBoxError(error);
      this.logger.warn({ box: box.id, error }, 'a box could not be taken over');
      const reason =
        lost.code === 'NOT_FOUND'
          ? 'the virtual machine ended while no supervisor was there'
          : `the virtual machine could not be taken over and was ended: ${lost.message}`;
      return this.ending.finish(box, { run, exit: exit ?? unknownExit(reason), held });
    }
    const taking = this.#takeOver(left, vm, held);
    // It stands still until its user lets it go on.
    if (box.marks.pausedByUser && !exit) return this.#logFailure(box, taking);
    await this.#patiently(left, vm, taking);
  }

  /** Lets a box go on that its user paused under an earlier supervisor. @returns whether it was one */
  async unpause(box: Box): Promise<boolean> {
    const waiting = this.#paused.get(box);
    if (!waiting) return false;
    waiting.goOn();
    await waiting.taken;
    return true;
  }

  /** Gives up the guests that have not answered yet; they go on. */
  leave(): void {
    this.#leaving.abort();
  }

  /** Waits a while for a guest to answer; one that takes longer is shown so, and goes on being waited for. */
  async #patiently({ box, run }: LeftBox, vm: Vm, taking: Promise<void>): Promise<void> {
    const patience = new AbortController();
    const late = delay(PATIENCE_MS, 'late' as const, { signal: patience.signal, ref: false });
    const first = await Promise.race([taking.then(() => 'taken' as const), late]);
    patience.abort();
    if (first === 'taken') return;
    if (box.state.kind === 'stopping') box.state = { kind: 'paused', vm, run, because: 'unreachable' };
    this.#logFailure(box, taking);
  }

  #logFailure(box: Box, taking: Promise<void>): void {
    taking.catch((error: unknown) => this.logger.error({ box: box.id, error }, 'a box could not be taken over'));
  }

  /** Waits until a box's user lets it go on. @returns false when its VM ended instead @throws when this supervisor does */
  async #whilePaused({ box, run }: LeftBox, vm: Vm): Promise<boolean> {
    const goOn = Promise.withResolvers<true>();
    const left = new Promise<void>((resolve) => this.#leaving.signal.addEventListener('abort', () => resolve()));
    box.state = { kind: 'paused', vm, run, because: 'user' };
    await vm.pause({ signal: AbortSignal.timeout(ADOPTION_LIMIT_MS) });
    const taken = Promise.race([box.started, box.ended.then(() => {})]);
    this.#paused.set(box, { goOn: () => goOn.resolve(true), taken });
    const goesOn = await Promise.race([goOn.promise, vm.exited.then(() => false), left]);
    this.#paused.delete(box);
    this.#leaving.signal.throwIfAborted();
    return goesOn === true;
  }

  async #findVm(run: RunRecord): Promise<Vm> {
    const backend = this.backends.named(run.vm.backend);
    if (!backend) throw new BoxError('BACKEND_UNAVAILABLE', `backend "${run.vm.backend}" is not installed any more`);
    return backend.adopt(run.vm, { signal: AbortSignal.timeout(ADOPTION_LIMIT_MS) });
  }

  /** Joins the guest, however long that takes, and goes on with the box where it was left. */
  async #takeOver(left: LeftBox, vm: Vm, held: HeldResources): Promise<void> {
    const { box, run, exit } = left;
    let joined: RunningVm;
    try {
      const paused = box.marks.pausedByUser && !exit;
      if (paused && !(await this.#whilePaused(left, vm))) return await this.#lose(left, vm, held);
      joined = await this.#join(left, vm);
    } catch (error) {
      if (this.#leaving.signal.aborted) return void (await Promise.all([vm.close(), leaveHeld(held)]));
      this.logger.error({ box: box.id, error }, 'a box was lost while no supervisor was there');
      return this.#lose(left, vm, held);
    }
    if (exit) await this.ending.finish(box, { run, exit, held, vm: joined });
    else await this.#follow(box, joined, { ...run, sessionKey: joined.nextKey.toString('base64') }, held);
  }

  /** Ends a box whose guest cannot be asked any more. */
  async #lose({ box, run, exit }: LeftBox, vm: Vm, held: HeldResources): Promise<void> {
    await vm.kill();
    const lost = unknownExit(`the virtual machine ended: ${describeExit(await vm.exited)}`);
    await this.ending.finish(box, { run, exit: exit ?? lost, held });
  }

  /** @throws AGENT_UNREACHABLE when the VM ends first, AGENT_INCOMPATIBLE */
  async #join({ box, run }: LeftBox, vm: Vm): Promise<RunningVm> {
    for (;;) {
      const stalled = new AbortController();
      const unsubscribe = vm.onNoSpace(() => stalled.abort());
      try {
        // The supervisor before this one may have stopped it, and died before it let it go on.
        await this.#resume(vm);
        const signal = AbortSignal.any([stalled.signal, this.#leaving.signal]);
        return await this.vms.rejoin(vm, Buffer.from(run.sessionKey, 'base64'), { signal });
      } catch (error) {
        if (!stalled.signal.aborted) throw error;
      } finally {
        unsubscribe();
      }
      // A VM that stands still for want of room answers nobody.
      box.state = { kind: 'paused', vm, run, because: 'no-space' };
      const ended = new AbortController();
      void vm.exited.then(() => ended.abort());
      await this.space.waitForRoom(AbortSignal.any([ended.signal, this.#leaving.signal]));
    }
  }

  async #resume(vm: Vm): Promise<void> {
    try {
      await vm.resume({ signal: AbortSignal.timeout(ADOPTION_LIMIT_MS) });
    } catch (error) {
      // What cannot be stopped was not.
      if (!isBoxError(error) || error.code !== 'UNSUPPORTED') throw error;
    }
  }

  async #follow(box: Box, vm: RunningVm, run: RunRecord, held: HeldResources): Promise<void> {
    // Before anything else is asked of the guest: from its next call on only the new key opens a session.
    this.records.enter(box, { kind: 'running', vm, run }, { marks: { ...box.marks, pausedByUser: false } });
    const log = await this.logs.open(box, run);
    this.keeper.record({ box, vm, run, log });
    box.io.connect(vm.session, CONTAINER_ID, '', log?.resume);
    this.execs.rejoin(box, vm);
    box.succeedStart();
    this.keeper.keep({ box, vm, run, held, log });
  }

  async #hold(box: Box, { network }: RunRecord): Promise<HeldResources> {
    const [root, endpoint] = await Promise.all([
      this.#holdRoot(box),
      network && this.networks.adopt(box, network.endpoint, { signal: AbortSignal.timeout(ADOPTION_LIMIT_MS) }),
    ]);
    const fileServer = this.#fileServerOf(box);
    return { ...(root && { root }), ...(endpoint && { endpoint }), ...(fileServer && { fileServer }) };
  }

  #fileServerOf(box: Box): FileServerWatch | undefined {
    for (const { resource } of this.records.resources(box)) {
      if (resource.kind === 'server') return watchFileServer(resource.process);
    }
    return undefined;
  }

  async #holdRoot(box: Box): Promise<RootDisk | undefined> {
    try {
      return await this.images.rootDisk(box.image.id, { signal: AbortSignal.timeout(ADOPTION_LIMIT_MS) });
    } catch (error) {
      // Its VMM has the files open, and goes on without their being held here.
      this.logger.error({ box: box.id, image: box.image.id, error }, 'the image of a running box cannot be held');
      return undefined;
    }
  }
}
