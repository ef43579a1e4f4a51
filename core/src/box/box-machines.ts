import { inject, injectable } from '../kernel/container.js';
import type { Image, ImageStore, RootDisk } from '../ports/image-store.js';
import type { NetworkEndpoint } from '../ports/network.js';
import type { Operation } from '../ports/operation.js';
import { ImageStoreToken } from '../service-tokens.js';
import type { Resource } from '../state/ledger.js';
import { HomeLayout } from '../store/home-layout.js';
import type { BackendChoice } from '../vm/backend-chooser.js';
import type { RunningVm } from '../vm/running-vm.js';
import type { Tracer } from '../vm/tracer.js';
import { VmManager, type VmRequest } from '../vm/vm-manager.js';
import { BoxNetworks } from './box-networks.js';
import { BoxVolumes, type AttachedVolumes } from './box-volumes.js';
import { BoxRecords } from './box-records.js';
import { sizingOf, type BoxSpec } from './box-spec.js';
import type { HeldResources } from './held-resources.js';

/** What a machine is made for. */
export interface MachineOwner {
  /** Full id of the box that it is, or will be. */
  readonly id: string;
  readonly image: Pick<Image, 'id'> & { readonly config?: Pick<Image['config'], 'user'> };
  readonly spec: Pick<
    BoxSpec,
    'network' | 'ports' | 'nanoCpus' | 'memoryBytes' | 'options' | 'volumes' | 'user' | 'storageBytes'
  >;
  readonly tracer: Tracer;
}

/** A VM whose guest has answered, with what it holds of the ports. */
export interface BoxMachine {
  readonly vm: RunningVm;
  readonly held: HeldResources;
  /** Ends the VM and gives everything back. */
  readonly end: () => Promise<void>;
}

export interface MachineOptions extends Operation {
  readonly backend: BackendChoice;
  /** Whether it may be a clone of a template. */
  readonly clone: boolean;
  /** Whether the scratch disk is there already. Absent: no. */
  readonly scratchKept?: boolean;
}

/** Makes the machines that boxes run in, up to where a container can be made in them. */
@injectable()
export class BoxMachines {
  constructor(
    @inject(ImageStoreToken) private readonly images: ImageStore,
    private readonly vms: VmManager,
    private readonly networks: BoxNetworks,
    private readonly volumes: BoxVolumes,
    private readonly records: BoxRecords,
    private readonly home: HomeLayout,
  ) {}

  /** What a machine has on this host; to be written down before it is made. */
  resources(boxId: string): Extract<Resource, { kind: 'directory' }>[] {
    return [this.home.box(boxId), this.home.boxRun(boxId)].map((path) => ({ kind: 'directory', path }));
  }

  /**
   * Makes a machine. Failed: nothing of it runs; what the ledger has of it is the caller's to free.
   * @throws what the backend, the image store or the network refused, CANCELLED
   */
  async make(owner: MachineOwner, { backend, signal, ...disks }: MachineOptions): Promise<BoxMachine> {
    const { id, spec, tracer } = owner;
    const undo = new AsyncDisposableStack();
    try {
      const held = await this.#acquire(owner, backend, undo, signal);
      const { attachment: network, ports } = held.endpoint ?? {};
      const request = { boxId: id, backend, root: held.root.disk, sizing: sizingOf(spec), tracer, ...disks };
      const onLaunch = this.records.noteVmm.bind(this.records, id);
      const carried = { ...carriedBy(network, ports), ...storageOf(spec, held.volumes) };
      const vm = await this.vms.start({ ...request, onLaunch, ...carried }, { signal });
      undo.defer(() => vm.kill());
      return { vm, held, end: () => undo.disposeAsync() };
    } catch (error) {
      await undo.disposeAsync();
      throw error;
    }
  }

  /** Gets what the VM is started with. */
  async #acquire(
    owner: MachineOwner,
    backend: BackendChoice,
    undo: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<HeldResources & { readonly root: RootDisk }> {
    const { image, tracer } = owner;
    const [root, endpoint, volumes] = await Promise.allSettled([
      tracer.span('root disk', () => this.images.rootDisk(image.id, { signal })),
      tracer.span('network', (): Promise<NetworkEndpoint | undefined> =>
        this.networks.attach(owner, backend, { signal }),
      ),
      this.#attachVolumes(owner),
    ]);
    if (root.status === 'fulfilled') undo.defer(() => root.value.release());
    if (endpoint.status === 'fulfilled') undo.defer(async () => endpoint.value?.detach());
    if (volumes.status === 'fulfilled') undo.defer(async () => volumes.value?.release());
    if (root.status === 'rejected') throw root.reason;
    if (endpoint.status === 'rejected') throw endpoint.reason;
    if (volumes.status === 'rejected') throw volumes.reason;
    return {
      root: root.value,
      ...(endpoint.value && { endpoint: endpoint.value }),
      ...(volumes.value && { volumes: volumes.value }),
    };
  }

  async #attachVolumes(owner: MachineOwner): Promise<AttachedVolumes | undefined> {
    if ((owner.spec.volumes ?? []).length === 0) return undefined;
    const onLaunch = this.records.noteServer.bind(this.records, owner.id);
    return owner.tracer.span('volumes', () => this.volumes.attach(owner, { onLaunch }));
  }
}

/** How a VM gets to its network: by a card, or, where its end has nothing to connect to, by the backend itself. */
function carriedBy(
  network: NetworkEndpoint['attachment'],
  ports: NetworkEndpoint['ports'] | undefined,
): Pick<VmRequest, 'network' | 'tsi'> {
  if (network) return { network };
  return ports ? { tsi: { ports: ports.map(({ hostPort, guestPort }) => ({ hostPort, guestPort })) } } : {};
}

function storageOf(
  { storageBytes }: Pick<BoxSpec, 'storageBytes'>,
  volumes: AttachedVolumes | undefined,
): Pick<VmRequest, 'shareSocket' | 'disks' | 'scratchBytes'> {
  return {
    ...(volumes?.shareSocket !== undefined && { shareSocket: volumes.shareSocket }),
    ...(volumes && { disks: volumes.disks }),
    ...(storageBytes !== undefined && { scratchBytes: storageBytes }),
  };
}
