import { isBoxError } from '../errors/box-error.js';
import { injectable } from '../kernel/container.js';
import type { Box } from './box.js';
import { BoxDiskUsage } from './box-disk-usage.js';
import { BoxService } from './box-service.js';

/** A label that boxes have to have, or not to have. */
export interface LabelFilter {
  readonly name: string;
  /** Absent: any. */
  readonly value?: string | undefined;
  readonly negated: boolean;
}

export interface PruneFilter {
  /** Only boxes that were made before, nanoseconds since the Unix epoch. */
  readonly untilNs?: bigint | undefined;
  /** All have to hold. */
  readonly labels: readonly LabelFilter[];
}

export interface Pruned {
  /** Full ids. */
  readonly removed: readonly string[];
  readonly reclaimedBytes: number;
}

/** Removes boxes that nothing runs of. */
@injectable()
export class BoxPrunes {
  constructor(
    private readonly boxes: BoxService,
    private readonly usage: BoxDiskUsage,
  ) {}

  /** One that is started meanwhile stays. */
  async prune(filter: PruneFilter): Promise<Pruned> {
    const removed: string[] = [];
    let reclaimedBytes = 0;
    for (const box of this.boxes.list().filter((one) => isOver(one) && passes(one, filter))) {
      const bytes = await this.usage.of(box);
      try {
        await this.boxes.remove(box, { force: false });
      } catch (error) {
        if (isBoxError(error) && error.code === 'CONFLICT') continue;
        throw error;
      }
      removed.push(box.id);
      reclaimedBytes += bytes;
    }
    return { removed, reclaimedBytes };
  }
}

function isOver(box: Box): boolean {
  return !box.live && !box.restarting;
}

function passes({ createdNs, spec }: Box, { untilNs, labels }: PruneFilter): boolean {
  if (untilNs !== undefined && createdNs >= untilNs) return false;
  return labels.every(({ name, value, negated }) => {
    const has = Object.hasOwn(spec.labels, name) && (value === undefined || spec.labels[name] === value);
    return has !== negated;
  });
}
