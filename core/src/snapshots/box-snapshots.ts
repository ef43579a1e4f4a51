import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { Box, drawBoxId, nowNs } from '../box/box.js';
import { BoxDisks } from '../box/box-disks.js';
import { BoxRecords } from '../box/box-records.js';
import { BoxService } from '../box/box-service.js';
import { CONTAINER_ID } from '../box/container-start.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { FilesService, HoldDiskRequest } from '../gen/a3s/box/agent/v1/files.js';
import type { AgentSession } from '../guest/agent-session.js';
import { answersOf } from '../guest/streaming.js';
import { inject, injectable } from '../kernel/container.js';
import type { ImageStore } from '../ports/image-store.js';
import type { Operation } from '../ports/operation.js';
import { ImageStoreToken } from '../service-tokens.js';
import { Reaper } from '../state/reaper.js';
import { HomeLayout } from '../store/home-layout.js';
import { VolumeRecords } from '../volumes/volume-records.js';
import { copyDisk } from './copy-disk.js';
import { SnapshotStore, type Snapshot } from './snapshot-store.js';
import { restoredMounts } from './snapshot-volumes.js';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** As much of a box's name is in the name of a snapshot that is given none. */
const LONGEST_PREFIX = 120;
/** After this time the guest lets its disk go on, whatever became of the host. Milliseconds. */
const HOLD_LIMIT_MS = 60_000;
/** What came later than this may have been copied after the disk went on. */
const TRUSTED_MS = HOLD_LIMIT_MS - 5000;

/** Makes snapshots of boxes, and boxes of snapshots. */
@injectable()
export class BoxSnapshots {
  /** Names of those that are being made. */
  readonly #begun = new Set<string>();

  constructor(
    private readonly boxes: BoxService,
    private readonly disks: BoxDisks,
    private readonly records: BoxRecords,
    private readonly store: SnapshotStore,
    private readonly volumes: VolumeRecords,
    private readonly reaper: Reaper,
    private readonly home: HomeLayout,
    @inject(ImageStoreToken) private readonly images: ImageStore,
  ) {}

  /**
   * @param given its name; absent: one is made
   * @throws CONFLICT for a box that stands still, or is started or ends meanwhile, ALREADY_EXISTS, INVALID_ARGUMENT,
   * DISK_FULL, TIMEOUT when the disk of a box that runs could not be copied in time
   */
  async create(box: Box, given: string | undefined, { signal }: Operation): Promise<Snapshot> {
    const id = randomBytes(32).toString('hex');
    const name = given ?? `${box.name.slice(0, LONGEST_PREFIX)}-${id.slice(0, 6)}`;
    await this.#checkName(name);
    this.#begun.add(name);
    try {
      return await this.#make(box, { id, name }, signal);
    } finally {
      this.#begun.delete(name);
    }
  }

  async #make(box: Box, { id, name }: Pick<Snapshot, 'id' | 'name'>, signal: AbortSignal): Promise<Snapshot> {
    // Its disks are being written back.
    if (box.state.kind === 'stopping') await box.ended;
    const { name: _name, ...spec } = box.spec;
    const running = box.state.kind === 'running' || box.state.kind === 'starting';
    const draft = {
      id,
      name,
      box: { id: box.id, name: box.name },
      imageId: box.image.id,
      spec,
      createdNs: nowNs(),
      running,
    };
    return this.store.make(draft, (disk) =>
      running ? this.#copyHeld(box, disk, signal) : this.#copy(box, disk, signal),
    );
  }

  list(): Promise<Snapshot[]> {
    return this.store.list();
  }

  /** @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
  find(reference: string): Promise<Snapshot> {
    return this.store.find(reference);
  }

  /**
   * Makes a box of a snapshot, which does not run yet. Failed, or cut off by this process's death: nothing of it is left.
   * @throws ALREADY_EXISTS, IMAGE_NOT_FOUND, DISK_FULL, NOT_FOUND for a volume with a name that is gone
   */
  async restore(
    { id: snapshot, spec, imageId }: Snapshot,
    name: string | undefined,
    operation: Operation,
  ): Promise<Box> {
    const id = drawBoxId();
    const image = (await this.#meansStill(spec.image, imageId, operation)) ? spec.image : imageId;
    const directory = this.home.box(id);
    const from = this.store.disk(snapshot);
    const known = new Set(this.volumes.list().map((volume) => volume.name));
    const volumes = restoredMounts(spec.volumes ?? [], (wanted) => known.has(wanted));
    // Those of other boxes were settled when the box was made.
    const { volumesFrom: _, ...settled } = spec;
    try {
      return await this.boxes.createWith({ ...settled, image, volumes, ...(name !== undefined && { name }) }, id, {
        ...operation,
        prepare: async () => {
          if (!existsSync(from)) return;
          this.records.note({ id }, { kind: 'directory', path: directory });
          await mkdir(directory, { mode: 0o700, recursive: true });
          const disk = this.home.boxScratch(id);
          await copyDisk(from, `${disk}.new`, operation.signal);
          await rename(`${disk}.new`, disk);
        },
      });
    } catch (error) {
      await this.reaper.reap(id);
      throw error;
    }
  }

  async remove({ id }: Snapshot): Promise<void> {
    await this.store.remove(id);
  }

  /** The snapshots of boxes that are gone. @param all also those of boxes that are there */
  async prunable(all: boolean): Promise<Snapshot[]> {
    const known = new Set(this.boxes.list().map(({ id }) => id));
    return (await this.list()).filter(({ box }) => all || !known.has(box.id));
  }

  async #copy(box: Box, to: string, signal: AbortSignal): Promise<boolean> {
    if (box.state.kind === 'paused') throw standsStill(box);
    using _ = await this.disks.take(box);
    if (box.gone) throw new BoxError('NOT_FOUND', `there is no box "${box.name}" any more`);
    if (box.live) throw new BoxError('CONFLICT', `box "${box.name}" has just been started`, { hint: 'try again' });
    const from = this.home.boxScratch(box.id);
    return existsSync(from) ? (await copyDisk(from, to, signal)) === 'shared' : false;
  }

  /** Copies the disk of a box that runs while its guest holds it still. */
  async #copyHeld(box: Box, to: string, signal: AbortSignal): Promise<boolean> {
    await using disk = await this.disks.open(box, { signal, withVolumes: false });
    if (!disk.running) throw new BoxError('CONFLICT', `box "${box.name}" has just ended`, { hint: 'try again' });
    const held = await hold(disk.session, signal);
    try {
      const startMs = performance.now();
      const late = AbortSignal.timeout(TRUSTED_MS);
      const result = await copyDisk(this.home.boxScratch(box.id), to, AbortSignal.any([signal, late]));
      if (performance.now() - startMs < TRUSTED_MS && !held.lost()) return result === 'shared';
    } catch (error) {
      if (signal.aborted || isBoxError(error)) throw error;
      if ((error as Error).name !== 'TimeoutError') throw error;
    } finally {
      await held.release();
    }
    throw new BoxError('TIMEOUT', `the disk of box "${box.name}" could not be copied in ${TRUSTED_MS / 1000} s`, {
      hint: 'stop the box first, or keep the home on a file system with reflinks (XFS, Btrfs)',
    });
  }

  async #checkName(name: string): Promise<void> {
    if (!NAME.test(name)) {
      throw new BoxError('INVALID_ARGUMENT', `snapshot name "${name}" is not valid`, {
        hint: 'use letters, digits, "_", "." and "-", starting with a letter or digit',
      });
    }
    const known = await this.list();
    if (this.#begun.has(name) || known.some((snapshot) => snapshot.name === name)) {
      throw new BoxError('ALREADY_EXISTS', `snapshot name "${name}" is in use`, { hint: 'choose another --name' });
    }
  }

  async #meansStill(reference: string, imageId: string, operation: Operation): Promise<boolean> {
    try {
      return (await this.images.inspect(reference, operation)).id === imageId;
    } catch (error) {
      if (isBoxError(error) && error.code === 'IMAGE_NOT_FOUND') return false;
      throw error;
    }
  }
}

interface Held {
  /** Whether the guest has let go already. */
  readonly lost: () => boolean;
  readonly release: () => Promise<void>;
}

/** Has the guest hold its disk still. */
async function hold(session: AgentSession, signal: AbortSignal): Promise<Held> {
  const request = HoldDiskRequest.create({ containerId: CONTAINER_ID, limitMs: HOLD_LIMIT_MS });
  const ended = new AbortController();
  const answers = answersOf(session, FilesService.holdDisk, request, AbortSignal.any([signal, ended.signal]));
  await answers.next();
  let lost = false;
  const end = answers.next().then(
    () => (lost = true),
    () => (lost = true),
  );
  return {
    lost: () => lost,
    release: async () => {
      ended.abort();
      await end;
    },
  };
}

function standsStill({ name }: Box): BoxError {
  return new BoxError('CONFLICT', `box "${name}" stands still: its disk is not of one piece`, {
    hint: 'let it go on, or stop it',
  });
}
