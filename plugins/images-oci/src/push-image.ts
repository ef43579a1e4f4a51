import { readFileSync } from 'node:fs';
import { BoxError, type Image, type Platform, type PushedImage, type PushOptions } from '@a3s-box/core';
import { checkDigest, digestOf } from './digest.js';
import { isObject, parseJsonObject } from './image-config.js';
import type { ImageLibrary } from './image-library.js';
import { INDEX_TYPES, ociLayerType, parseManifest, type Descriptor, type ImageManifest } from './image-manifest.js';
import type { LayerBlob, LayerPlaces } from './layer-places.js';
import { LayerPusher } from './layer-pusher.js';
import { CONFIG_TYPE, jsonBlob, MANIFEST_TYPE } from './manifest.js';
import { guestPlatform } from './platform.js';
import { isFor, parcelsOf, type Parcel } from './push-parcels.js';
import { parseReference, repositoryOf } from './reference.js';
import { Registries, type RegistryPatience } from './registries.js';
import { endpointsOf, type RegistryEndpoint } from './registry-address.js';
import { RegistryWriter } from './registry-writer.js';
import type { SavedImage } from './save-archive.js';
import type { StorePaths } from './store-paths.js';
import type { Work } from './work.js';

/** So many layers are compressed and sent at the same time. */
const AT_ONCE = 3;

export interface PushContext {
  readonly paths: StorePaths;
  readonly images: ImageLibrary;
  readonly places: LayerPlaces;
  readonly work: Work;
  readonly patience: RegistryPatience;
  /** An image with its layers, held for the work. */
  readonly hold: (id: string) => SavedImage;
}

/**
 * Sends images to the registry of a name. An image whose layers are all there as its manifest names them, or can be
 * taken over from another repository of the registry, keeps its manifest, byte for byte. Otherwise the layers that are
 * not there are compressed by gzip, and the image gets a manifest that names these; its config stays as it is.
 * @throws IMAGE_NOT_FOUND, REGISTRY_FAILED, REGISTRY_DENIED, INVALID_REFERENCE, INVALID_ARGUMENT, IMAGE_CORRUPT, DISK_FULL
 */
export async function pushImages(
  name: string,
  context: PushContext,
  options: PushOptions,
): Promise<readonly PushedImage[]> {
  const parcels = parcelsOf(name, context.images, options);
  // Ends what goes on beside when something fails.
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  await using registries = new Registries(options, signal, context.patience);
  const connection = registries.connections((parcels[0] as Parcel).reference).at(-1);
  if (connection === undefined) throw new BoxError('INTERNAL', `image name ${name} is at no registry`);
  const writer = new RegistryWriter(connection);
  const push = new Push({ ...context, writer, endpoint: connection.endpoint, options, signal, ended });
  const pushed: PushedImage[] = [];
  for (const parcel of parcels) pushed.push(await push.parcel(parcel));
  return pushed;
}

interface PushParts extends PushContext {
  readonly writer: RegistryWriter;
  readonly endpoint: RegistryEndpoint;
  readonly options: PushOptions;
  readonly signal: AbortSignal;
  /** Fires the signal. */
  readonly ended: AbortController;
}

/** As an index has it. */
interface PushedManifest extends LayerBlob {
  readonly platform: Platform;
}

/** Sends to one repository. */
class Push {
  private readonly layers: LayerPusher;

  constructor(private readonly parts: PushParts) {
    const { endpoint, signal, options } = parts;
    this.layers = new LayerPusher({ ...parts, target: endpoint, signal, onProgress: options.onProgress });
  }

  async parcel({ reference, ids }: Parcel): Promise<PushedImage> {
    const repository = repositoryOf(reference);
    const tag = reference.tag as string;
    const name = `${repository}:${tag}`;
    const [only, ...others] = ids;
    if (only !== undefined && others.length === 0) {
      const { digest, size } = await this.image(only, repository, tag);
      return { name, digest, sizeBytes: size, imageIds: [only] };
    }
    const manifests: PushedManifest[] = [];
    for (const id of ids) manifests.push(await this.image(id, repository, undefined));
    const [mediaType] = INDEX_TYPES;
    const { bytes, digest } = jsonBlob({ schemaVersion: 2, mediaType, manifests });
    const { writer, images } = this.parts;
    await writer.manifest(tag, mediaType, bytes);
    // As a pull of it here would.
    const own = manifests.findIndex(({ platform }) => isFor(platform, { ...guestPlatform(), variant: undefined }));
    if (own !== -1) images.addDigest(ids[own] as string, repository, digest);
    return { name, digest, sizeBytes: bytes.length, imageIds: ids };
  }

  /** @param tag undefined: it goes there by its digest alone */
  private async image(id: string, repository: string, tag: string | undefined): Promise<PushedManifest> {
    const { images, hold } = this.parts;
    const saved = hold(id);
    // The image may be removed meanwhile; its layers are held.
    const [bytes, config] = [this.document(saved.image.digest), this.document(id)];
    const manifest = parseManifest(bytes) as ImageManifest;
    const layers = await this.sendLayers(saved, manifest);
    await this.sendConfig(id, config);
    const same = layers.every(({ digest }, index) => digest === manifest.layers[index]?.digest);
    const document = same
      ? { bytes, mediaType: manifest.mediaType }
      : { bytes: newManifest(bytes, manifest, layers), mediaType: MANIFEST_TYPE };
    const digest = digestOf(document.bytes);
    await this.parts.writer.manifest(tag ?? digest, document.mediaType, document.bytes);
    images.addDigest(id, repository, digest);
    const { platform } = saved.image;
    return { mediaType: document.mediaType, digest, size: document.bytes.length, platform };
  }

  /** @throws IMAGE_CORRUPT */
  private document(digest: string): Buffer {
    const bytes = readFileSync(this.parts.paths.blob(digest));
    checkDigest('document in the store', digest, digestOf(bytes));
    return bytes;
  }

  private async sendLayers({ image, layers }: SavedImage, manifest: ImageManifest): Promise<LayerBlob[]> {
    const repositories = this.repositoriesOf(image);
    // All take from the same one.
    const waiting = layers.entries();
    const sent: LayerBlob[] = [];
    const failures: unknown[] = [];
    const work = async (): Promise<void> => {
      for (const [index, layer] of waiting) {
        const blob = manifest.layers[index] as Descriptor;
        sent[index] = await this.layers.layer(layer, { blob, repositories });
      }
    };
    const fail = (error: unknown): void => {
      failures.push(error);
      this.parts.ended.abort();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, () => work().catch(fail)));
    if (failures.length > 0) throw failures[0];
    return sent;
  }

  private async sendConfig(digest: string, content: Buffer): Promise<void> {
    if (await this.parts.writer.has(digest)) return;
    await this.parts.writer.upload({ digest, size: content.length, content });
  }

  /** Paths of this registry's repositories that have an image as it is here. */
  private repositoriesOf({ id, digest }: Image): string[] {
    const { settings } = this.parts.options;
    return this.parts.images
      .repositoriesOf(id, digest)
      .flatMap((repository) => endpointsOf(parseReference(repository), settings === undefined ? {} : { settings }))
      .filter(({ registry }) => registry === this.parts.endpoint.registry)
      .map(({ path }) => path);
  }
}

/** A manifest with other layers. What it says of the old ones is left out. */
function newManifest(bytes: Uint8Array, { config }: ImageManifest, layers: readonly LayerBlob[]): Uint8Array {
  const { annotations } = parseJsonObject(bytes, 'image manifest');
  return jsonBlob({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: config.digest, size: config.size },
    layers: layers.map(({ mediaType, digest, size }) => ({
      mediaType: ociLayerType(mediaType) ?? mediaType,
      digest,
      size,
    })),
    ...(isObject(annotations) && { annotations }),
  }).bytes;
}
