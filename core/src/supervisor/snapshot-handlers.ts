import { BoxService } from '../box/box-service.js';
import { SnapshotRecord, type SnapshotsServer } from '../gen/a3s/box/supervisor/v1/snapshots.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { BoxSnapshots } from '../snapshots/box-snapshots.js';
import { SnapshotStore, type Snapshot } from '../snapshots/snapshot-store.js';
import { unaryHandler } from './grpc-handlers.js';
import { specMessageOf } from './messages.js';

/** The Snapshots service of the supervisor protocol. */
@injectable()
export class SnapshotHandlers {
  constructor(
    private readonly boxes: BoxService,
    private readonly snapshots: BoxSnapshots,
    private readonly store: SnapshotStore,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  handlers(): SnapshotsServer {
    const { boxes, snapshots, logger } = this;
    const record = (snapshot: Snapshot) => this.#record(snapshot);
    const all = (list: readonly Snapshot[]) => Promise.all(list.map(record));
    return {
      create: unaryHandler(logger, async ({ box, name }, { signal }) =>
        record(await snapshots.create(boxes.find(box), name || undefined, { signal })),
      ),
      list: unaryHandler(logger, async () => ({ snapshots: await all(await snapshots.list()) })),
      inspect: unaryHandler(logger, async ({ snapshot }) => record(await snapshots.find(snapshot))),
      restore: unaryHandler(logger, async ({ snapshot, name }, { signal }) => {
        const box = await snapshots.restore(await snapshots.find(snapshot), name || undefined, { signal });
        return { id: box.id, name: box.name };
      }),
      remove: unaryHandler(logger, async ({ snapshot }) => {
        const found = await snapshots.find(snapshot);
        await snapshots.remove(found);
        return { id: found.id };
      }),
      prune: unaryHandler(logger, async ({ all: every }) => {
        const doomed = await snapshots.prunable(every);
        const removed = await all(doomed);
        for (const snapshot of doomed) await snapshots.remove(snapshot);
        return { removed };
      }),
    };
  }

  async #record({ id, name, box, imageId, spec, createdNs, running, shared }: Snapshot): Promise<SnapshotRecord> {
    return SnapshotRecord.create({
      id,
      name,
      boxId: box.id,
      boxName: box.name,
      imageId,
      spec: specMessageOf(spec),
      createdNs,
      sizeBytes: BigInt(await this.store.size(id)),
      running,
      shared,
    });
  }
}
