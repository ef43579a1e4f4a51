import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BoxError } from '../errors/box-error.js';
import { injectable } from '../kernel/container.js';
import { Reaper } from '../state/reaper.js';
import { HomeLayout } from '../store/home-layout.js';
import { cloneScratch } from '../vm/assets/scratch-disk.js';
import { checkDiskSize } from '../vm/assets/scratch-disk.js';
import { makePublicDirectory } from './public-directory.js';
import { sizeOnDisk } from './size-on-disk.js';
import { checkVolumeName } from './volume-mount.js';
import { VolumeRecords, volumeOwner } from './volume-records.js';
import type { StoredVolume } from './volume-table.js';

const NS_PER_MS = 1_000_000n;

export interface VolumeRequest {
  /** Empty: one is made. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** A disk of this size, bytes; absent: a directory. */
  readonly sizeBytes?: number;
}

export interface VolumeInUse {
  readonly volume: StoredVolume;
  /** Ids of boxes. */
  readonly boxes: readonly string[];
  /** Absolute path on the host: of the directory, or of the disk's image. */
  readonly mountpoint: string;
}

/** All volumes of a home. Their contents are the boxes'; what runs here only makes and removes them. */
@injectable()
export class VolumeService {
  constructor(
    private readonly records: VolumeRecords,
    private readonly reaper: Reaper,
    private readonly home: HomeLayout,
  ) {}

  /**
   * @throws INVALID_ARGUMENT @throws ALREADY_EXISTS for one of that name and another size @throws DISK_FULL
   * @throws CONFLICT while one of that name is being removed
   */
  async create({ name: given, labels, sizeBytes }: VolumeRequest): Promise<VolumeInUse> {
    const anonymous = given === '';
    const name = anonymous ? drawVolumeName() : given;
    checkVolumeName(name);
    if (sizeBytes !== undefined) checkDiskSize(sizeBytes);
    const volume: StoredVolume = {
      name,
      createdNs: BigInt(Date.now()) * NS_PER_MS,
      labels,
      ...(sizeBytes !== undefined && { sizeBytes }),
      ...(anonymous && { anonymous }),
    };
    const kept = this.records.add(volume);
    if (kept.sizeBytes !== sizeBytes) {
      throw new BoxError('ALREADY_EXISTS', `volume ${name} exists with another size`, { hint: 'choose another name' });
    }
    try {
      await this.prepare(kept);
    } catch (error) {
      if (kept === volume) await this.remove(name);
      throw error;
    }
    return this.inspect(name);
  }

  list(): VolumeInUse[] {
    const uses = this.records.uses();
    return this.records.list().map((volume) => this.#describe(volume, uses));
  }

  /** @throws NOT_FOUND */
  inspect(name: string): VolumeInUse {
    return this.#describe(this.records.get(name), this.records.uses());
  }

  /** @throws NOT_FOUND @throws CONFLICT while a box has it @throws INTERNAL when files of it are left */
  async remove(name: string): Promise<void> {
    this.records.remove(name);
    if (await this.reaper.reap(volumeOwner(name))) return;
    throw new BoxError('INTERNAL', `files of volume ${name} could not be removed`, {
      hint: "the home's supervisor.log says why; the next supervisor tries again",
    });
  }

  /**
   * Removes what no box has.
   * @param all also volumes that were given a name @param names only these; empty: all that may be
   * @returns names, and the bytes that they took on the disk
   */
  async prune(all: boolean, names: readonly string[]): Promise<{ removed: string[]; freedBytes: number }> {
    const removed: string[] = [];
    let freedBytes = 0;
    for (const { volume, boxes } of this.list()) {
      const meant = names.length === 0 || names.includes(volume.name);
      if (boxes.length > 0 || !meant || !(all || volume.anonymous === true)) continue;
      const bytes = await sizeOnDisk(this.home.volume(volume.name));
      await this.remove(volume.name);
      removed.push(volume.name);
      freedBytes += bytes;
    }
    return { removed, freedBytes };
  }

  /** Bytes that each takes on the disk, by name. */
  async usage(): Promise<ReadonlyMap<string, number>> {
    const usage = new Map<string, number>();
    for (const { name } of this.records.list()) usage.set(name, await sizeOnDisk(this.home.volume(name)));
    return usage;
  }

  /**
   * Makes what a volume is on the host, where that is not there: a directory appears empty, a disk by renaming.
   * @returns absolute path @throws DISK_FULL
   */
  async prepare(volume: StoredVolume): Promise<string> {
    const path = this.placeOf(volume);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (volume.sizeBytes === undefined) await makePublicDirectory(path);
    else if (!existsSync(path)) await cloneScratch(path, volume.sizeBytes);
    return path;
  }

  /** Whether there are files in a volume, as far as the host sees that: not of a disk. */
  async holdsFiles(volume: StoredVolume): Promise<boolean> {
    if (volume.sizeBytes !== undefined) return false;
    const names = await readdir(this.placeOf(volume)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    });
    return names.length > 0;
  }

  /** Absolute path on the host: of its directory, or of its disk's image. */
  placeOf({ name, sizeBytes }: StoredVolume): string {
    return join(this.home.volume(name), sizeBytes === undefined ? '_data' : 'disk.img');
  }

  #describe(volume: StoredVolume, uses: ReadonlyMap<string, readonly string[]>): VolumeInUse {
    return { volume, boxes: uses.get(volume.name) ?? [], mountpoint: this.placeOf(volume) };
  }
}

/** Name of a volume that is given none. */
export function drawVolumeName(): string {
  return randomBytes(32).toString('hex');
}
