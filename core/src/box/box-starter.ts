import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { asBoxError } from '../errors/as-box-error.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { injectable } from '../kernel/container.js';
import type { NetworkEndpoint } from '../ports/network.js';
import type { Resource } from '../state/ledger.js';
import type { RunRecord } from '../state/box-table.js';
import { Reaper } from '../state/reaper.js';
import { HomeLayout } from '../store/home-layout.js';
import { BackendChooser, type BackendChoice } from '../vm/backend-chooser.js';
import { architectureOf } from '../vm/guest-architecture.js';
import type { RunningVm } from '../vm/running-vm.js';
import { endSoon } from '../vm/vm-loss.js';
import { nowNs, type Box, type RestingState } from './box.js';
import { BoxKeeper } from './box-keeper.js';
import { BoxLogs } from './box-logs.js';
import { BoxMachines, type BoxMachine } from './box-machines.js';
import { BoxRecords } from './box-records.js';
import { sizingOf } from './box-spec.js';
import { addBootSpans } from './boot-spans.js';
import { CONTAINER_ID, startContainer } from './container-start.js';
import { BoxNetworks } from './box-networks.js';
import { fileServerGone, type HeldResources } from './held-resources.js';
import { SpareBoxes } from './spare-boxes.js';
import type { Spare } from './spare.js';

/** A way to a machine for a box. */
type Way = (backend: BackendChoice) => Promise<BoxMachine>;

/** Takes a box from `starting` to `running`. */
@injectable()
export class BoxStarter {
  constructor(
    private readonly backends: BackendChooser,
    private readonly machines: BoxMachines,
    private readonly spares: SpareBoxes,
    private readonly records: BoxRecords,
    private readonly networks: BoxNetworks,
    private readonly logs: BoxLogs,
    private readonly keeper: BoxKeeper,
    private readonly reaper: Reaper,
    private readonly home: HomeLayout,
  ) {}

  /** Whether a box has its disk: of an earlier run, or because files were put into it. */
  hasDisk({ id, state }: Box): boolean {
    const before = state.kind === 'starting' ? state.before : state;
    return before?.kind === 'exited' || before?.kind === 'dead' || existsSync(this.home.boxScratch(id));
  }

  /** What a box has on this host from the moment on in which it starts, beside its disk where that is there. */
  resources(box: Box, diskKept: boolean): Resource[] {
    const all = this.machines.resources(box.id);
    return diskKept ? all.filter(({ path }) => path !== this.home.box(box.id)) : all;
  }

  /**
   * Starts a box that is recorded as starting, with its {@link resources}. On return its main process runs. Failed:
   * nothing of the attempt runs any more; what the ledger has of it is the caller's to free.
   *
   * @param spare a machine of the box's id that was made ahead
   * @throws what the backend, the image store or the guest refused; CANCELLED when the box's start was given up
   */
  async start(box: Box, spare?: Spare): Promise<void> {
    using _ = this.spares.starting();
    const signal = box.startSignal;
    const scratchKept = spare === undefined && this.hasDisk(box);
    const made =
      (clone: boolean): Way =>
      (backend) =>
        this.machines.make(box, { backend, clone, scratchKept, signal });
    const ahead = spare ? [() => box.tracer.span('wake spare', () => spare.wake(signal))] : [];
    try {
      await this.#tryEach(box, [...ahead, made(true), made(false)], scratchKept);
    } catch (error) {
      box.io.abandon(asBoxError(error));
      throw error;
    }
  }

  /** Goes the next way where what was made ahead, a spare or a template, is of no use. */
  async #tryEach(box: Box, ways: readonly Way[], scratchKept: boolean): Promise<void> {
    for (const way of ways) {
      try {
        return await this.#start(box, way);
      } catch (error) {
        const useless = isBoxError(error) && error.code === 'TEMPLATE_UNUSABLE';
        if (!useless || way === ways.at(-1)) throw error;
      }
      const remains = [this.home.boxVm(box.id), this.home.boxNetwork(box.id)];
      if (!scratchKept) remains.push(this.home.boxScratch(box.id));
      await Promise.all(remains.map((path) => rm(path, { recursive: true, force: true })));
    }
  }

  /**
   * Frees what a start of a box has left that is kept, and takes it back to what it was.
   * @param reason why the start came to nothing
   */
  async undo(box: Box, before: RestingState, reason: string): Promise<void> {
    await this.reaper.reap(box.id, this.hasDisk(box) ? this.home.box(box.id) : undefined);
    this.records.enter(box, before, { marks: { ...box.marks, startError: reason } });
  }

  async #start(box: Box, way: Way): Promise<void> {
    const undo = new AsyncDisposableStack();
    try {
      await this.#startIn(box, undo, way);
      undo.move();
    } catch (error) {
      await undo.disposeAsync();
      throw error;
    }
  }

  async #startIn(box: Box, undo: AsyncDisposableStack, way: Way): Promise<void> {
    const signal = box.startSignal;
    const architecture = architectureOf(box.spec.platform);
    const backend = await this.backends.choose(box.spec.backend, { signal, architecture });
    const { vm, held, end } = await way(backend);
    undo.defer(end);
    // A clone tells of its template's start.
    if (vm.origin === 'boot') addBootSpans(box.tracer, vm.session.hello);
    const container = startContainer(box, vm, { endpoint: held.endpoint, volumes: held.volumes, signal });
    await Promise.race([container, failUnserved(held, vm)]);
    const log = await this.logs.open(box);
    undo.defer(() => this.logs.end(box));
    const run = {
      ...runRecordOf(vm, backend.probe.acceleration, held.endpoint),
      sizing: sizingOf(box.spec),
      ...(log && { logBase: log.base }),
    };
    // From here on the workload may end at any moment, which is a run like any other.
    this.records.enter(box, { kind: 'running', vm, run }, { marks: { ...box.marks, startError: '' } });
    this.keeper.record({ box, vm, run, log });
    box.io.connect(vm.session, CONTAINER_ID, '');
    if (held.endpoint) this.networks.watch(box, held.endpoint);
    this.keeper.keep({ box, vm, run, held, log });
    if (vm.origin === 'clone') this.spares.wish({ image: box.image, backend, spec: box.spec });
  }
}

/** Rejects when the server of a box's files ends, and not with its VM, whose end has a reason of its own. */
async function failUnserved(held: HeldResources, vm: RunningVm): Promise<never> {
  const said = await fileServerGone(held);
  if (await endSoon(vm)) return new Promise(() => {});
  throw new BoxError('VM_CRASHED', `the server of the volumes ended while the box was started: ${said}`);
}

function runRecordOf({ vm, nextKey, origin }: RunningVm, acceleration: string, endpoint?: NetworkEndpoint): RunRecord {
  return {
    startedNs: nowNs(),
    vm: vm.record,
    sessionKey: nextKey.toString('base64'),
    acceleration,
    cloned: origin === 'clone',
    ...(endpoint && {
      network: { endpoint: endpoint.record, addresses: endpoint.guest.addresses, ports: endpoint.ports },
    }),
  };
}
