import { rm } from 'node:fs/promises';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { FilesService, MountRootRequest, RootVolume } from '../gen/a3s/box/agent/v1/files.js';
import type { ImageStore } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import type { FreeSpace } from '../state/free-space.js';
import type { Reaper } from '../state/reaper.js';
import type { HomeLayout } from '../store/home-layout.js';
import type { BackendChooser } from '../vm/backend-chooser.js';
import { architectureOf } from '../vm/guest-architecture.js';
import type { RunningVm } from '../vm/running-vm.js';
import { Tracer } from '../vm/tracer.js';
import { normalPath, outerFirst } from '../volumes/volume-mount.js';
import type { VmManager } from '../vm/vm-manager.js';
import { drawBoxId, type Box } from './box.js';
import type { BoxRecords } from './box-records.js';
import type { AttachedVolumes, BoxVolumes } from './box-volumes.js';
import { CONTAINER_ID } from './container-start.js';

/** Enough to copy files with. */
const SIZING = { vcpus: 1, memoryBytes: 256 * 1024 * 1024 };
/** How long a guest may take to write its disks back. */
const GOODBYE_LIMIT_MS = 30_000;

/** What helpers are made with. */
export interface HelperParts {
  readonly images: ImageStore;
  readonly backends: BackendChooser;
  readonly vms: VmManager;
  readonly records: BoxRecords;
  readonly volumes: BoxVolumes;
  readonly reaper: Reaper;
  readonly space: FreeSpace;
  readonly home: HomeLayout;
  readonly logger: Logger;
}

export interface HelperOptions {
  /** Whether the box's volumes are mounted in its root. */
  readonly withVolumes: boolean;
  /** Ends it for a box that wants to have one of its disks. */
  readonly giveUp: () => Promise<void>;
}

/**
 * A VM without workload and network that has the disks of a box which does not run, and its volumes if need be. In the
 * ledger it is nobody's: what is left of it after this process's death is freed by the next supervisor.
 */
export class DiskHelper {
  readonly #id = drawBoxId();
  readonly #parts: HelperParts;
  readonly #options: HelperOptions;
  readonly #box: Box;
  readonly #undo = new AsyncDisposableStack();
  readonly #ended = new AbortController();
  #started: Promise<RunningVm> | undefined;

  constructor(box: Box, options: HelperOptions, parts: HelperParts) {
    this.#box = box;
    this.#options = options;
    this.#parts = parts;
  }

  /** Whether all mounts of its box are there. */
  get hasVolumes(): boolean {
    return this.#options.withVolumes;
  }

  /**
   * Starts it; called once. Failed: nothing of it is left.
   * @throws what the backend and the image store refuse, CANCELLED
   */
  start(): Promise<RunningVm> {
    this.#started = this.#startOrFree();
    return this.#started;
  }

  /** Ends it, after everything that was written is on the disk. */
  async end(vm: RunningVm): Promise<void> {
    this.#ended.abort();
    const goodbye = await vm.shutDown(0, AbortSignal.timeout(GOODBYE_LIMIT_MS));
    if (!goodbye) this.#parts.logger.error({ box: this.#box.id }, 'a helper did not write the disk of its box back');
    await this.#free();
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#ended.abort();
    // What is being made for it can only be freed when it is there.
    await this.#started?.catch(() => {});
    await this.#free();
  }

  async #startOrFree(): Promise<RunningVm> {
    try {
      return await this.#start();
    } catch (error) {
      this.#ended.abort();
      await this.#free();
      throw error;
    }
  }

  async #free(): Promise<void> {
    try {
      await this.#undo.disposeAsync();
      await this.#parts.reaper.reap(this.#id);
    } catch (error) {
      this.#parts.logger.error({ box: this.#box.id, error }, 'a helper could not be freed');
    }
  }

  async #start(): Promise<RunningVm> {
    const { images, backends, records, home } = this.#parts;
    const { signal } = this.#ended;
    signal.throwIfAborted();
    const architecture = architectureOf(this.#box.spec.platform);
    const backend = await backends.choose(this.#box.spec.backend, { signal, architecture });
    for (const path of [home.box(this.#id), home.boxRun(this.#id)]) {
      records.note({ id: this.#id }, { kind: 'directory', path });
    }
    const root = await images.rootDisk(this.#box.image.id, { signal });
    this.#undo.defer(() => root.release());
    const volumes = await this.#attachVolumes();
    const request = {
      boxId: this.#id,
      backend,
      root: root.disk,
      sizing: SIZING,
      tracer: new Tracer(),
      scratch: home.boxScratch(this.#box.id),
      ...(volumes?.shareSocket !== undefined && { shareSocket: volumes.shareSocket }),
      ...(volumes && { disks: volumes.disks }),
      onLaunch: records.noteVmm.bind(records, this.#id),
    };
    const vm = await this.#machine(request);
    this.#undo.defer(() => vm.vm.close());
    this.#undo.defer(() => vm.kill());
    this.#followRoom(vm);
    const mount = MountRootRequest.create({
      containerId: CONTAINER_ID,
      imageSlot: 'root',
      scratchSlot: 'scratch',
      scratchDirectory: CONTAINER_ID,
      volumes: volumes ? rootVolumes(volumes) : [],
    });
    await vm.session.call(FilesService.mountRoot, mount, signal);
    volumes?.filled();
    return vm;
  }

  async #attachVolumes(): Promise<AttachedVolumes | undefined> {
    if (!this.#options.withVolumes) return undefined;
    const { records, volumes } = this.#parts;
    const { image, spec } = this.#box;
    const attached = await volumes.attach(
      { id: this.#id, image, spec },
      { onLaunch: records.noteServer.bind(records, this.#id), giveUp: this.#options.giveUp },
    );
    if (attached) this.#undo.defer(() => attached.release());
    return attached;
  }

  /** As a clone, else by booting. */
  async #machine(request: Omit<Parameters<VmManager['start']>[0], 'clone'>): Promise<RunningVm> {
    const { vms, home } = this.#parts;
    const operation = { signal: this.#ended.signal };
    try {
      return await vms.start({ ...request, clone: true }, operation);
    } catch (error) {
      if (!isBoxError(error) || error.code !== 'TEMPLATE_UNUSABLE') throw error;
    }
    await rm(home.boxVm(this.#id), { recursive: true, force: true });
    return vms.start({ ...request, clone: false }, operation);
  }

  /** As for any box: one that finds no room on the host's disk stands still until there is. */
  #followRoom(vm: RunningVm): void {
    const { space, logger } = this.#parts;
    const { signal } = this.#ended;
    vm.vm.onNoSpace(() => {
      const wait = async () => {
        await space.waitForRoom(signal);
        await vm.vm.resume({ signal });
      };
      wait().catch((error: unknown) => {
        if (!signal.aborted) logger.error({ box: this.#box.id, error }, 'a helper could not go on');
      });
    });
  }
}

function rootVolumes({ placed, guest }: AttachedVolumes): RootVolume[] {
  const volumes = placed.map(({ mount: { target, readOnly } }, index) => {
    const volume = guest[index];
    return RootVolume.create({ ...(volume && { volume }), destination: normalPath(target), readOnly });
  });
  return outerFirst(volumes);
}

/** What to say of a box whose files cannot be reached. */
export function unreachable({ name, state }: Box): BoxError {
  if (state.kind !== 'paused')
    return new BoxError('CONFLICT', `the files of box "${name}" cannot be reached: it is ${state.kind}`);
  const hint = 'let it go on first';
  return new BoxError('CONFLICT', `the files of box "${name}" cannot be reached: it stands still`, { hint });
}
