import type { BoxSpec } from '../box/box-spec.js';
import { BoxSpec as BoxSpecMessage } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { SnapshotsService, type SnapshotRecord as Message } from '../gen/a3s/box/supervisor/v1/snapshots.js';
import type { CallOptions } from './call-options.js';
import { dateOf, specFrom } from './record-conversion.js';
import type { SupervisorConnection } from './supervisor-connection.js';

/** A box as it was at a moment: settings and root file system. */
export interface SnapshotRecord {
  /** 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** The box that it is of, which may be gone. */
  readonly box: { readonly id: string; readonly name: string };
  readonly imageId: string;
  /** Of the box, without its name. */
  readonly spec: BoxSpec;
  readonly created: Date;
  /** On the disk; what is shared with others counts as well. */
  readonly sizeBytes: number;
  /** Whether the box ran. */
  readonly running: boolean;
  /** Whether its disk was shared with the box's, by copy-on-write, when it was made. */
  readonly shared: boolean;
}

interface NameOptions extends CallOptions {
  /** Absent: one is made. */
  readonly name?: string;
}

/** The snapshots of a home. Errors as of `BoxClient`. Snapshots are named by name, id or unique prefix of the id. */
export class SnapshotClient {
  readonly #connection: SupervisorConnection;

  /** @param connection stays the caller's */
  constructor(connection: SupervisorConnection) {
    this.#connection = connection;
  }

  /** Of a box that runs or does not. @throws CONFLICT, ALREADY_EXISTS, TIMEOUT, DISK_FULL */
  async create(box: string, { name = '', signal }: NameOptions = {}): Promise<SnapshotRecord> {
    return recordFrom(await this.#connection.call(SnapshotsService.create, { box, name }, signal));
  }

  /** Newest first. */
  async list({ signal }: CallOptions = {}): Promise<SnapshotRecord[]> {
    return (await this.#connection.call(SnapshotsService.list, {}, signal)).snapshots.map(recordFrom);
  }

  /** @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
  async inspect(snapshot: string, { signal }: CallOptions = {}): Promise<SnapshotRecord> {
    return recordFrom(await this.#connection.call(SnapshotsService.inspect, { snapshot }, signal));
  }

  /** Makes a box of a snapshot, which does not run yet. @param options `name` of the box */
  async restore(
    snapshot: string,
    { name = '', signal }: NameOptions = {},
  ): Promise<{ readonly id: string; readonly name: string }> {
    return this.#connection.call(SnapshotsService.restore, { snapshot, name }, signal);
  }

  /** @returns its id */
  async remove(snapshot: string, { signal }: CallOptions = {}): Promise<string> {
    return (await this.#connection.call(SnapshotsService.remove, { snapshot }, signal)).id;
  }

  /** Removes the snapshots of boxes that are gone. @param options `all`: of all boxes */
  async prune({ all = false, signal }: CallOptions & { readonly all?: boolean } = {}): Promise<SnapshotRecord[]> {
    return (await this.#connection.call(SnapshotsService.prune, { all }, signal)).removed.map(recordFrom);
  }
}

function recordFrom({ spec, createdNs, sizeBytes, boxId, boxName, ...same }: Message): SnapshotRecord {
  return {
    id: same.id,
    name: same.name,
    box: { id: boxId, name: boxName },
    imageId: same.imageId,
    spec: specFrom(spec ?? BoxSpecMessage.create({})),
    created: dateOf(createdNs),
    sizeBytes: Number(sizeBytes),
    running: same.running,
    shared: same.shared,
  };
}
