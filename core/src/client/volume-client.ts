import { VolumesService, type VolumeRecord as VolumeMessage } from '../gen/a3s/box/supervisor/v1/volumes.js';
import type { CallOptions } from './call-options.js';
import { wholeNumber } from './record-conversion.js';
import type { SupervisorConnection } from './supervisor-connection.js';

/** A directory or a disk that outlives boxes. */
export interface VolumeRecord {
  readonly name: string;
  readonly created: Date;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the disk that it is, bytes; absent for a directory. */
  readonly sizeBytes?: number;
  /** It was made for a box, or without a name. */
  readonly anonymous: boolean;
  /** Absolute path on the host: of the directory, or of the disk's image. */
  readonly mountpoint: string;
  /** Ids of the boxes that have it, whether they run or not. */
  readonly boxes: readonly string[];
}

export interface VolumeSpec {
  /** Absent: a name is made. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** A disk of this size, bytes. Absent: a directory. */
  readonly sizeBytes?: number;
}

export interface PruneVolumesOptions extends CallOptions {
  /** Also those that were given a name. Default false. */
  readonly all?: boolean;
  /** Only these. Default: all that may be. */
  readonly names?: readonly string[];
}

const NS_PER_MS = 1_000_000n;

/** The volumes of a home. Errors as of `BoxClient`. */
export class VolumeClient {
  readonly #connection: SupervisorConnection;

  /** @param connection stays the caller's */
  constructor(connection: SupervisorConnection) {
    this.#connection = connection;
  }

  /** Where one of that name and size is there, that is it. @throws ALREADY_EXISTS for one of another size, DISK_FULL */
  async create(
    { name = '', labels = {}, sizeBytes = 0 }: VolumeSpec = {},
    { signal }: CallOptions = {},
  ): Promise<VolumeRecord> {
    const request = { name, labels: { ...labels }, sizeBytes: wholeNumber(sizeBytes, 'size of the volume') };
    return volumeFrom(await this.#connection.call(VolumesService.create, request, signal));
  }

  /** By name. */
  async list({ signal }: CallOptions = {}): Promise<VolumeRecord[]> {
    return (await this.#connection.call(VolumesService.list, {}, signal)).volumes.map(volumeFrom);
  }

  /** @throws NOT_FOUND */
  async inspect(name: string, { signal }: CallOptions = {}): Promise<VolumeRecord> {
    return volumeFrom(await this.#connection.call(VolumesService.inspect, { name }, signal));
  }

  /** @throws NOT_FOUND @throws CONFLICT while a box has it */
  async remove(name: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(VolumesService.remove, { name }, signal);
  }

  /** Removes those that no box has. @returns their names, and the bytes that they took on the disk */
  async prune(options: PruneVolumesOptions = {}): Promise<{ removed: readonly string[]; freedBytes: number }> {
    const { all = false, names = [], signal } = options;
    const answer = await this.#connection.call(VolumesService.prune, { all, names: [...names] }, signal);
    return { removed: answer.removed, freedBytes: Number(answer.freedBytes) };
  }
}

function volumeFrom({ createdNs, sizeBytes, ...volume }: VolumeMessage): VolumeRecord {
  const created = new Date(Number(createdNs / NS_PER_MS));
  return { ...volume, created, ...(sizeBytes > 0n && { sizeBytes: Number(sizeBytes) }) };
}
