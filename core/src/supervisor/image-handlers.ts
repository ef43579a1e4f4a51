import type { ImagesServer } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { ImageStore } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import { unaryHandler } from './grpc-handlers.js';
import { imageRecordOf } from './messages.js';

/** The Images service of the supervisor protocol. */
export function imageHandlers(images: ImageStore, logger: Logger): ImagesServer {
  return {
    list: unaryHandler(logger, async (_request, context) => ({
      images: (await images.list(context)).map(imageRecordOf),
    })),
    inspect: unaryHandler(logger, async ({ image }, context) => imageRecordOf(await images.inspect(image, context))),
  };
}
