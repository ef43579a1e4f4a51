import { ImagesService } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { CallOptions } from './call-options.js';
import { imageFrom } from './record-conversion.js';
import type { ImageRecord } from './records.js';
import type { SupervisorConnection } from './supervisor-connection.js';

/** The images of a home. Errors as of `BoxClient`. */
export class ImageClient {
  readonly #connection: SupervisorConnection;

  /** @param connection stays the caller's */
  constructor(connection: SupervisorConnection) {
    this.#connection = connection;
  }

  async list({ signal }: CallOptions = {}): Promise<ImageRecord[]> {
    return (await this.#connection.call(ImagesService.list, {}, signal)).images.map(imageFrom);
  }

  /** @param image reference, digest or unique prefix of the id. @throws IMAGE_NOT_FOUND, AMBIGUOUS_REFERENCE */
  async inspect(image: string, { signal }: CallOptions = {}): Promise<ImageRecord> {
    return imageFrom(await this.#connection.call(ImagesService.inspect, { image }, signal));
  }
}
