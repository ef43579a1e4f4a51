import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { AgentSession } from '../guest/agent-session.js';
import { inject, injectable } from '../kernel/container.js';
import type { ImageStore } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import { BootAssetSourceToken, ImageStoreToken, LoggerToken } from '../service-tokens.js';
import { FreeSpace } from '../state/free-space.js';
import { Reaper } from '../state/reaper.js';
import { HomeLayout } from '../store/home-layout.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import type { BootAssetSource } from '../vm/boot-asset-source.js';
import type { RunningVm } from '../vm/running-vm.js';
import { VmManager } from '../vm/vm-manager.js';
import type { Box } from './box.js';
import { BoxRecords } from './box-records.js';
import { BoxVolumes } from './box-volumes.js';
import { CONTAINER_ID } from './container-start.js';
import { DiskHelper, unreachable } from './disk-helper.js';

/** How long a helper is kept for the next call: one copy takes several. Milliseconds. */
const KEPT_MS = 3000;

/** A guest that has a box's disks. */
export interface OpenDisk extends AsyncDisposable {
  readonly session: AgentSession;
  /** What the guest knows the box's root file system by. */
  readonly container: string;
  /** Whether it is the box's own guest, with its workload. */
  readonly running: boolean;
}

export interface OpenOptions extends Operation {
  /** Whether paths may lead into the box's volumes: what reads the root alone does without them, and is quicker. */
  readonly withVolumes: boolean;
}

/** The helper of a box, with who uses it. */
interface Use {
  readonly helper: DiskHelper;
  readonly vm: Promise<RunningVm>;
  users: number;
  timer?: NodeJS.Timeout;
  /** Resolves when nobody uses it any more. */
  idle: PromiseWithResolvers<void>;
  ending?: Promise<void>;
}

/** Finds a guest in which the files of a box can be reached: its own, or, where it does not run, one that helps out. */
@injectable()
export class BoxDisks implements AsyncDisposable {
  readonly #uses = new Map<string, Use>();
  /** Boxes whose disks are somebody else's at the moment. */
  readonly #taken = new Map<string, Promise<void>>();

  constructor(
    @inject(ImageStoreToken) private readonly images: ImageStore,
    @inject(BootAssetSourceToken) private readonly assets: BootAssetSource,
    private readonly backends: BackendChooser,
    private readonly vms: VmManager,
    private readonly records: BoxRecords,
    private readonly volumes: BoxVolumes,
    private readonly reaper: Reaper,
    private readonly space: FreeSpace,
    private readonly home: HomeLayout,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /**
   * Given back by who opened it.
   * @throws CONFLICT for a box that stands still, or a volume with a size that another box has; what starting a helper throws
   */
  async open(box: Box, { withVolumes, signal }: OpenOptions): Promise<OpenDisk> {
    const needsVolumes = withVolumes && (box.spec.volumes ?? []).length > 0;
    for (;;) {
      signal.throwIfAborted();
      const { kind } = box.state;
      if (kind === 'starting') await box.started.catch(() => {});
      else if (kind === 'stopping') await box.ended.catch(() => {});
      else if (this.#taken.has(box.id)) await this.#taken.get(box.id);
      else if (this.#uses.get(box.id)?.ending) await this.#uses.get(box.id)?.ending;
      else if (needsVolumes && this.#uses.get(box.id)?.helper.hasVolumes === false) await this.#giveUp(box);
      else break;
    }
    const { state } = box;
    if (state.kind === 'running') return openOf(state.vm, true, async () => {});
    if (!['created', 'exited', 'dead'].includes(state.kind)) throw unreachable(box);
    return this.#help(box, needsVolumes);
  }

  /**
   * Takes the disks of a box that does not run away from helpers, for as long as the result lives. Waits for who uses them.
   */
  async take(box: Box): Promise<Disposable> {
    const given = Promise.withResolvers<void>();
    for (let others = this.#taken.get(box.id); others; others = this.#taken.get(box.id)) await others;
    this.#taken.set(box.id, given.promise);
    const use = this.#uses.get(box.id);
    if (use && use.users > 0) await use.idle.promise;
    if (use) await this.#end(box.id, use);
    return {
      [Symbol.dispose]: () => {
        this.#taken.delete(box.id);
        given.resolve();
      },
    };
  }

  /** Ends the helper of a box that goes away. */
  async drop(box: Box): Promise<void> {
    const use = this.#uses.get(box.id);
    if (!use) return;
    clearTimeout(use.timer);
    this.#uses.delete(box.id);
    await (use.ending ?? use.helper.kill());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#uses].map(([id, use]) => this.#end(id, use)));
  }

  async #help(box: Box, withVolumes: boolean): Promise<OpenDisk> {
    const use = this.#uses.get(box.id) ?? this.#begin(box, withVolumes);
    clearTimeout(use.timer);
    use.users++;
    const giveBack = async () => {
      if (--use.users > 0) return;
      use.idle.resolve();
      use.idle = Promise.withResolvers();
      use.timer = setTimeout(() => void this.#end(box.id, use), KEPT_MS).unref();
    };
    try {
      return openOf(await use.vm, false, giveBack);
    } catch (error) {
      if (this.#uses.get(box.id) === use) this.#uses.delete(box.id);
      await giveBack();
      throw error;
    }
  }

  #begin(box: Box, withVolumes: boolean): Use {
    const { images, backends, vms, records, volumes, reaper, space, home, logger } = this;
    const parts = { images, backends, vms, records, volumes, reaper, space, home, logger };
    const helper = new DiskHelper(box, { withVolumes, giveUp: () => this.#giveUp(box) }, parts);
    const vm = this.#ensureDisk(box).then(() => helper.start());
    const use: Use = { helper, vm, users: 0, idle: Promise.withResolvers() };
    this.#uses.set(box.id, use);
    vm.then((started) => this.#untilEnd(box.id, use, started)).catch(() => {
      // Whoever asked for it is told of it.
    });
    return use;
  }

  /** Ends the helper of a box as soon as nobody uses it. */
  async #giveUp(box: Box): Promise<void> {
    (await this.take(box))[Symbol.dispose]();
  }

  /** Gives up a helper that has ended by itself: the next call needs another one. */
  async #untilEnd(id: string, use: Use, { exited }: RunningVm): Promise<void> {
    await exited;
    if (this.#uses.get(id) !== use || use.ending) return;
    clearTimeout(use.timer);
    use.ending = use.helper.kill().finally(() => {
      if (this.#uses.get(id) === use) this.#uses.delete(id);
    });
    await use.ending;
  }

  /** A box that never ran has none yet. */
  async #ensureDisk(box: Box): Promise<void> {
    const [directory, path] = [this.home.box(box.id), this.home.boxScratch(box.id)];
    if (existsSync(path)) return;
    const known = this.records
      .resources(box)
      .some(({ resource }) => resource.kind === 'directory' && resource.path === directory);
    if (!known) this.records.note(box, { kind: 'directory', path: directory });
    await mkdir(directory, { mode: 0o700, recursive: true });
    const { storageBytes } = box.spec;
    const { signal } = new AbortController();
    await this.assets.makeScratch(path, { signal, ...(storageBytes !== undefined && { sizeBytes: storageBytes }) });
  }

  #end(id: string, use: Use): Promise<void> {
    clearTimeout(use.timer);
    use.ending ??= this.#endOnce(id, use);
    return use.ending;
  }

  async #endOnce(id: string, use: Use): Promise<void> {
    const vm = await use.vm.catch(() => undefined);
    if (vm) await use.helper.end(vm);
    if (this.#uses.get(id) === use) this.#uses.delete(id);
  }
}

function openOf({ session }: RunningVm, running: boolean, giveBack: () => Promise<void>): OpenDisk {
  return { session, container: CONTAINER_ID, running, [Symbol.asyncDispose]: giveBack };
}
