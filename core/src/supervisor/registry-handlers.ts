import { BoxError } from '../errors/box-error.js';
import type { RegistriesServer } from '../gen/a3s/box/supervisor/v1/registries.js';
import { inject, injectable } from '../kernel/container.js';
import type { ImageStore } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import { RegistryFiles } from '../registries/registry-files.js';
import { ImageStoreToken, LoggerToken } from '../service-tokens.js';
import { unaryHandler } from './grpc-handlers.js';
import { credentialsFrom } from './registry-messages.js';

/** The Registries service of the supervisor protocol. */
@injectable()
export class RegistryHandlers {
  constructor(
    private readonly files: RegistryFiles,
    @inject(ImageStoreToken) private readonly images: ImageStore,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  handlers(): RegistriesServer {
    const { files, images, logger } = this;
    return {
      resolve: unaryHandler(logger, async ({ reference }) => ({
        registries: [...images.registriesOf(reference, await files.read())],
      })),
      login: unaryHandler(logger, async ({ credentials, plainHttp }, { signal }) => {
        if (!credentials) throw new BoxError('INVALID_ARGUMENT', 'login: no credentials came');
        const settings = await files.read();
        await images.login({ credentials: credentialsFrom(credentials), settings, plainHttp, signal });
        return {};
      }),
    };
  }
}
