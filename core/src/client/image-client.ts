import type { ClientDuplexStream } from '@grpc/grpc-js';
import {
  ImageConfig,
  ImagesService,
  type ImageData,
  type ImageProgress,
} from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { BoxError } from '../errors/box-error.js';
import type { ImageConfig as ImageSettings, StoreCheck } from '../ports/image-store.js';
import type { Progress } from '../ports/operation.js';
import type { CallOptions } from './call-options.js';
import { imageDetailsFrom, imageFrom, progressFrom, pushedFrom, storeCheckFrom } from './record-conversion.js';
import type { ImageDetails, ImageRecord, PushedImage } from './records.js';
import type { CredentialSource } from './registry-client.js';
import { credentialsFor } from './registry-client.js';
import { peerError, type SupervisorConnection } from './supervisor-connection.js';

export interface ImageWorkOptions extends CallOptions {
  readonly onProgress?: (progress: Progress) => void;
  /** Is told what is to be known of an image that is taken, for people to read. */
  readonly onWarning?: (message: string) => void;
}

export interface PullOptions extends ImageWorkOptions {
  /** For example `linux/arm64`. Default: linux on this host's architecture. */
  readonly platform?: string;
  /** Speak http; only to a registry on loopback. */
  readonly plainHttp?: boolean;
  /** Is asked for each registry that the image may come from. Default: none are sent. */
  readonly credentials?: CredentialSource;
}

export interface PushOptions extends ImageWorkOptions {
  /** Images to send in the place of the one of that name; several, each for another platform, as an index. */
  readonly images?: readonly string[];
  /** Send all tags of the repository that the name is. Neither with `images` nor with `platform`. */
  readonly allTags?: boolean;
  /** What the image has to be for, for example `linux/arm64`. */
  readonly platform?: string;
  /** Speak http; only to a registry on loopback. */
  readonly plainHttp?: boolean;
  /** Is asked for the registries that the name may stand for. Default: none are sent. */
  readonly credentials?: CredentialSource;
}

export interface ImportOptions extends ImageWorkOptions {
  readonly name?: string;
  readonly config?: Partial<ImageSettings>;
  /** Dockerfile instructions that change the config: those that a commit takes. */
  readonly changes?: readonly string[];
  /** For the image's history. */
  readonly message?: string;
  /** For example `linux/arm64`. Default: linux on this host's architecture. */
  readonly platform?: string;
}

/** Messages to send one after the other; each waits for room. */
type Requests<T> = AsyncIterable<T>;

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
  async inspect(image: string, { signal }: CallOptions = {}): Promise<ImageDetails> {
    return imageDetailsFrom(await this.#connection.call(ImagesService.inspect, { image }, signal));
  }

  /** Fetches an image from its registry. @throws REGISTRY_FAILED, REGISTRY_DENIED, IMAGE_NOT_FOUND, IMAGE_CORRUPT */
  async pull(reference: string, options: PullOptions = {}): Promise<ImageRecord> {
    const { platform = '', plainHttp = false, signal } = options;
    const credentials = await credentialsFor(this.#connection, reference, options.credentials, signal);
    const request = { reference, platform, plainHttp, credentials };
    const call = this.#connection.stream(ImagesService.pull, options.signal);
    const [image] = await this.#images(call, once(request), options);
    if (image) return image;
    throw new BoxError('INTERNAL', `the supervisor pulled "${reference}" and named no image`);
  }

  /**
   * Sends an image to the registry of its name, or others by that name.
   * @returns one for each name
   * @throws REGISTRY_FAILED, REGISTRY_DENIED, IMAGE_NOT_FOUND, INVALID_REFERENCE, INVALID_ARGUMENT
   */
  async push(name: string, options: PushOptions = {}): Promise<PushedImage[]> {
    const { images = [], allTags = false, platform = '', plainHttp = false, signal } = options;
    const credentials = await credentialsFor(this.#connection, name, options.credentials, signal);
    const request = { name, images: [...images], allTags, platform, plainHttp, credentials };
    const call = this.#connection.stream(ImagesService.push, signal);
    const results = await this.#results(call, once(request), options);
    return results.filter((it) => it.$case === 'pushed').map(({ value }) => pushedFrom(value));
  }

  /**
   * Takes over the images of a docker-archive or oci-archive.
   * @returns the images, in the archive's order
   * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL
   */
  async load(archive: AsyncIterable<Uint8Array>, options: ImageWorkOptions = {}): Promise<ImageRecord[]> {
    const call = this.#connection.stream(ImagesService.load, options.signal);
    const requests = async function* () {
      yield { request: { $case: 'directory', value: '' } } as const;
      yield* dataRequests(archive);
    };
    return this.#images(call, requests(), options);
  }

  /** Takes over the images of a directory with an OCI layout. @param directory absolute path on the supervisor's host */
  async loadDirectory(directory: string, options: ImageWorkOptions = {}): Promise<ImageRecord[]> {
    const call = this.#connection.stream(ImagesService.load, options.signal);
    return this.#images(call, once({ request: { $case: 'directory', value: directory } }), options);
  }

  /** Makes an image of one layer from a root file system's tar. */
  async import(tar: AsyncIterable<Uint8Array>, options: ImportOptions = {}): Promise<ImageRecord> {
    const call = this.#connection.stream(ImagesService.import, options.signal);
    const { name = '', config: given, changes = [], message = '', platform = '' } = options;
    const config = given && imageConfigMessage(given);
    const value = { name, config, changes: [...changes], message, platform };
    const requests = async function* () {
      yield { request: { $case: 'options', value } } as const;
      yield* dataRequests(tar);
    };
    const [image] = await this.#images(call, requests(), options);
    if (image) return image;
    throw new BoxError('INTERNAL', 'the supervisor imported an image and named none');
  }

  /** Images as an oci-archive that other tools read. @throws IMAGE_NOT_FOUND */
  async *save(references: readonly string[], { signal }: CallOptions = {}): AsyncGenerator<Buffer, void, void> {
    const call = this.#connection.stream(ImagesService.save, signal);
    call.end({ references: [...references] });
    try {
      for await (const { data } of call as AsyncIterable<ImageData>) yield data;
    } catch (error) {
      throw peerError(error, signal);
    }
  }

  /** Gives an image one more name; the name moves if it was in use. @throws IMAGE_NOT_FOUND, INVALID_REFERENCE */
  async tag(image: string, name: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.call(ImagesService.tag, { image, name }, signal);
  }

  /** Takes a name away, and the image with its last one. @throws IMAGE_NOT_FOUND, IMAGE_IN_USE */
  async remove(
    image: string,
    { force = false, signal }: CallOptions & { readonly force?: boolean } = {},
  ): Promise<{ readonly untagged: readonly string[]; readonly deleted: readonly string[] }> {
    return this.#connection.call(ImagesService.remove, { image, force }, signal);
  }

  /**
   * Verifies everything in the image store.
   * @param options.repair takes damaged images away, so that they can be fetched again
   */
  async check(options: ImageWorkOptions & { readonly repair?: boolean } = {}): Promise<StoreCheck> {
    const call = this.#connection.stream(ImagesService.check, options.signal);
    const [outcome] = await this.#results(call, once({ repair: options.repair ?? false }), options);
    if (outcome?.$case === 'check') return storeCheckFrom(outcome.value);
    throw new BoxError('INTERNAL', 'the supervisor checked the images and told no outcome');
  }

  async #images<T>(
    call: ClientDuplexStream<T, ImageProgress>,
    requests: Requests<T>,
    options: ImageWorkOptions,
  ): Promise<ImageRecord[]> {
    const results = await this.#results(call, requests, options);
    return results.filter((it) => it.$case === 'image').map(({ value }) => imageFrom(value));
  }

  async #results<T>(
    call: ClientDuplexStream<T, ImageProgress>,
    requests: Requests<T>,
    { onProgress, onWarning, signal }: ImageWorkOptions,
  ): Promise<Exclude<ImageProgress['progress'], undefined>[]> {
    const sending = sendAll(call, requests);
    const results: Exclude<ImageProgress['progress'], undefined>[] = [];
    try {
      for await (const { progress } of call as AsyncIterable<ImageProgress>) {
        if (progress?.$case === 'step') onProgress?.(progressFrom(progress.value));
        else if (progress?.$case === 'warning') onWarning?.(progress.value);
        else if (progress !== undefined) results.push(progress);
      }
      await sending;
      return results;
    } catch (error) {
      // What cannot be read of the archive comes before what the supervisor says of its end.
      await sending;
      throw peerError(error, signal);
    }
  }
}

function imageConfigMessage(config: Partial<ImageSettings>): ImageConfig {
  return ImageConfig.create({
    ...config,
    environment: [...(config.env ?? [])],
    entrypoint: [...(config.entrypoint ?? [])],
    command: [...(config.cmd ?? [])],
    workingDirectory: config.workingDir ?? '',
    exposedPorts: [...(config.exposedPorts ?? [])],
    volumes: [...(config.volumes ?? [])],
  });
}

async function* once<T>(request: T): AsyncGenerator<T> {
  yield request;
}

async function* dataRequests(source: AsyncIterable<Uint8Array>) {
  for await (const piece of source) yield { request: { $case: 'data', value: Buffer.from(piece) } } as const;
}

/** Ends early, without an error, when the supervisor has ended the call. @throws what the source throws */
async function sendAll<T>(call: ClientDuplexStream<T, unknown>, requests: Requests<T>): Promise<void> {
  const ended = new Promise<'ended'>((resolve) => call.once('status', () => resolve('ended')));
  try {
    for await (const request of requests) {
      const room = call.write(request) || (await Promise.race([drained(call), ended])) !== 'ended';
      if (!room) return;
    }
    call.end();
  } catch (error) {
    call.cancel();
    throw error;
  }
}

function drained<T>(call: ClientDuplexStream<T, unknown>): Promise<'drained'> {
  return new Promise((resolve) => call.once('drain', () => resolve('drained')));
}
