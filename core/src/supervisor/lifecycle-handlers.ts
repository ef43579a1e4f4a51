import { BoxChanges, type BoxUpdate } from '../box/box-changes.js';
import { BoxDiskUsage } from '../box/box-disk-usage.js';
import { containerOptionsFrom } from '../box/container-option-messages.js';
import { checkChangeable } from '../box/container-limits.js';
import { BoxPrunes } from '../box/box-prunes.js';
import { BoxService } from '../box/box-service.js';
import { stopTimeoutOf } from '../box/container-options.js';
import { processesOf } from '../box/guest-signals.js';
import type { LifecycleServer, UpdateBoxRequest } from '../gen/a3s/box/supervisor/v1/lifecycle.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { VolumeService } from '../volumes/volume-service.js';
import { unaryHandler } from './grpc-handlers.js';
import { restartPolicyFrom } from './messages.js';

/** The Lifecycle service of the supervisor protocol. */
@injectable()
export class LifecycleHandlers {
  constructor(
    private readonly boxes: BoxService,
    private readonly changes: BoxChanges,
    private readonly prunes: BoxPrunes,
    private readonly usage: BoxDiskUsage,
    private readonly volumes: VolumeService,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  handlers(): LifecycleServer {
    const { boxes, changes, prunes, usage, volumes, logger } = this;
    return {
      restart: unaryHandler(logger, async ({ box, graceMs, signal }) => {
        const found = boxes.find(box);
        const limit = graceMs ?? stopTimeoutOf(found.spec.options);
        await boxes.restart(found, { graceMs: limit, ...(signal !== '' && { signal }) });
        return {};
      }),
      pause: unaryHandler(logger, async ({ box }, context) => {
        await boxes.pause(boxes.find(box), context);
        return {};
      }),
      unpause: unaryHandler(logger, async ({ box }, context) => {
        await boxes.unpause(boxes.find(box), context);
        return {};
      }),
      rename: unaryHandler(logger, async ({ box, name }) => {
        await changes.rename(boxes.find(box), name);
        return {};
      }),
      update: unaryHandler(logger, async (request, context) => {
        await changes.update(boxes.find(request.box), updateFrom(request), context);
        return {};
      }),
      prune: unaryHandler(logger, async ({ untilNs, labels }) => {
        const { removed, reclaimedBytes } = await prunes.prune({ labels, ...(untilNs > 0n && { untilNs }) });
        return { removed: [...removed], reclaimedBytes: BigInt(reclaimedBytes) };
      }),
      top: unaryHandler(logger, async ({ box }, context) => processesOf(boxes.find(box), context)),
      diskUsage: unaryHandler(logger, async () => {
        const all = boxes.list().map(async (box) => ({ id: box.id, bytes: BigInt(await usage.of(box)) }));
        return {
          boxes: await Promise.all(all),
          templateBytes: BigInt(await usage.templates()),
          volumes: [...(await volumes.usage())].map(([name, bytes]) => ({ name, bytes: BigInt(bytes) })),
        };
      }),
    };
  }
}

function updateFrom({ memoryBytes, nanoCpus, restart, limits: message }: UpdateBoxRequest): BoxUpdate {
  const limits = containerOptionsFrom(message);
  return {
    ...(limits && { limits: checkChangeable(limits) }),
    ...(memoryBytes > 0n && { memoryBytes: Number(memoryBytes) }),
    ...(nanoCpus > 0n && { nanoCpus: Number(nanoCpus) }),
    ...(restart && { restart: restartPolicyFrom(restart) ?? 'none' }),
  };
}
