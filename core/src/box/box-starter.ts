import { rm } from 'node:fs/promises';
import { asBoxError } from '../errors/as-box-error.js';
import { isBoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { ImageStore, RootDisk } from '../ports/image-store.js';
import type { NetworkEndpoint } from '../ports/network.js';
import { ImageStoreToken } from '../service-tokens.js';
import type { Resource } from '../state/ledger.js';
import type { RunRecord } from '../state/box-table.js';
import { HomeLayout } from '../store/home-layout.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import type { RunningVm } from '../vm/running-vm.js';
import { VmManager } from '../vm/vm-manager.js';
import { nowNs, type Box } from './box.js';
import { BoxKeeper } from './box-keeper.js';
import { BoxLogs } from './box-logs.js';
import { BoxRecords } from './box-records.js';
import { sizingOf } from './box-spec.js';
import { addBootSpans } from './boot-spans.js';
import { CONTAINER_ID, startContainer } from './container-start.js';
import { BoxNetworks } from './box-networks.js';
import type { HeldResources } from './held-resources.js';

/** Takes a box from `starting` to `running`. */
@injectable()
export class BoxStarter {
  constructor(
    @inject(ImageStoreToken) private readonly images: ImageStore,
    private readonly backends: BackendChooser,
    private readonly vms: VmManager,
    private readonly records: BoxRecords,
    private readonly networks: BoxNetworks,
    private readonly logs: BoxLogs,
    private readonly keeper: BoxKeeper,
    private readonly home: HomeLayout,
  ) {}

  /** What a box has on this host from the moment on in which it starts. */
  resources(box: Box): Resource[] {
    return [this.home.box(box.id), this.home.boxRun(box.id)].map((path) => ({ kind: 'directory', path }));
  }

  /**
   * Starts a box that is recorded as starting, with its {@link resources}. On return its main process runs. Failed:
   * nothing of the attempt runs any more; what the ledger has of it is the caller's to free.
   *
   * @throws what the backend, the image store or the guest refused; CANCELLED when the box's start was given up
   */
  async start(box: Box): Promise<void> {
    try {
      await this.#attempt(box, { clone: true });
    } catch (error) {
      box.io.abandon(asBoxError(error));
      throw error;
    }
  }

  /** Starts from nothing where a clone did not come up. */
  async #attempt(box: Box, { clone }: { readonly clone: boolean }): Promise<void> {
    const undo = new AsyncDisposableStack();
    try {
      await this.#start(box, undo, clone);
      undo.move();
    } catch (error) {
      await undo.disposeAsync();
      if (!clone || !isBoxError(error) || error.code !== 'TEMPLATE_UNUSABLE') throw error;
      const remains = [this.home.boxVm(box.id), this.home.boxNetwork(box.id), this.home.boxScratch(box.id)];
      await Promise.all(remains.map((path) => rm(path, { recursive: true, force: true })));
      await this.#attempt(box, { clone: false });
    }
  }

  async #start(box: Box, undo: AsyncDisposableStack, clone: boolean): Promise<void> {
    const signal = box.startSignal;
    const backend = await this.backends.choose(box.spec.backend, { signal });
    const held = await this.#acquire(box, undo);
    const vm = await this.vms.start(
      {
        boxId: box.id,
        backend,
        root: held.root.disk,
        sizing: sizingOf(box.spec),
        tracer: box.tracer,
        onLaunch: (process) => this.records.noteVmm(box.id, process),
        clone,
        ...(held.endpoint?.attachment && { network: held.endpoint.attachment }),
      },
      { signal },
    );
    undo.defer(() => vm.kill());
    // A clone tells of its template's start.
    if (vm.origin === 'boot') addBootSpans(box.tracer, vm.session.hello);
    await startContainer(box, vm, { endpoint: held.endpoint, signal });
    const run = runRecordOf(vm, backend.probe.acceleration, held.endpoint);
    const log = await this.logs.open(box);
    undo.defer(() => this.logs.end(box));
    // From here on the workload may end at any moment, which is a run like any other.
    this.records.enter(box, { kind: 'running', vm, run });
    this.keeper.record({ box, vm, run, log });
    box.io.connect(vm.session, CONTAINER_ID, '');
    this.keeper.keep({ box, vm, run, held, log });
  }

  /** Gets what the VM is started with. */
  async #acquire(box: Box, undo: AsyncDisposableStack): Promise<HeldResources & { readonly root: RootDisk }> {
    const signal = box.startSignal;
    const [root, endpoint] = await Promise.allSettled([
      box.tracer.span('root disk', () => this.images.rootDisk(box.image.id, { signal })),
      box.tracer.span('network', () => this.networks.attach(box, { signal })),
    ]);
    if (root.status === 'fulfilled') undo.defer(() => root.value.release());
    if (endpoint.status === 'fulfilled') undo.defer(async () => endpoint.value?.detach());
    if (root.status === 'rejected') throw root.reason;
    if (endpoint.status === 'rejected') throw endpoint.reason;
    return { root: root.value, ...(endpoint.value && { endpoint: endpoint.value }) };
  }
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
