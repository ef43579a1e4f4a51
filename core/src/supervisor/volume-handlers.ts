import type { VolumesServer } from '../gen/a3s/box/supervisor/v1/volumes.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { VolumeService } from '../volumes/volume-service.js';
import { unaryHandler } from './grpc-handlers.js';
import { volumeRecordOf } from './volume-messages.js';

/** The Volumes service of the supervisor protocol. */
@injectable()
export class VolumeHandlers {
  constructor(
    private readonly volumes: VolumeService,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  handlers(): VolumesServer {
    const { volumes, logger } = this;
    return {
      create: unaryHandler(logger, async ({ name, labels, sizeBytes }) => {
        const size = Number(sizeBytes);
        return volumeRecordOf(await volumes.create({ name, labels, ...(size > 0 && { sizeBytes: size }) }));
      }),
      list: unaryHandler(logger, () => ({ volumes: volumes.list().map(volumeRecordOf) })),
      inspect: unaryHandler(logger, ({ name }) => volumeRecordOf(volumes.inspect(name))),
      remove: unaryHandler(logger, async ({ name }) => {
        await volumes.remove(name);
        return {};
      }),
      prune: unaryHandler(logger, async ({ all, names }) => {
        const { removed, freedBytes } = await volumes.prune(all, names);
        return { removed, freedBytes: BigInt(freedBytes) };
      }),
    };
  }
}
