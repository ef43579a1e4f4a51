import { BoxError, type Image, type Platform, type PullOptions } from '@a3s-box/core';
import { assembleImage, type LayerProvider } from './image-assembly.js';
import { parseConfig } from './image-config.js';
import { parseManifest, platformText, selectPlatform, type Descriptor, type ImageManifest } from './image-manifest.js';
import type { LoadContext } from './load-archive.js';
import { guestPlatform } from './platform.js';
import { parseReference, repositoryOf } from './reference.js';
import { RegistryClient } from './registry-client.js';

interface FoundImage {
  readonly bytes: Buffer;
  readonly parsed: ImageManifest;
  /** Digests that led here: of the index, if there is one, and of the manifest. */
  readonly digests: readonly string[];
}

/**
 * Fetches an image from its registry: layers at the same time, each straight into its file while its digests are
 * computed. What the store has is not fetched.
 * @throws REGISTRY_FAILED, REGISTRY_DENIED, IMAGE_NOT_FOUND, IMAGE_CORRUPT, LIMIT_EXCEEDED, INVALID_REFERENCE
 */
export async function pullImage(
  name: string,
  { layers, images, work }: LoadContext,
  options: PullOptions,
): Promise<Image> {
  const reference = parseReference(name);
  const repository = repositoryOf(reference);
  const platform = options.platform ?? guestPlatform();
  // Ends the other downloads when one fails.
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const client = new RegistryClient(reference, options.plainHttp ?? false, signal);
  const found = await findImage(client, reference.digest ?? (reference.tag as string), platform, name);
  const config = await client.document(found.parsed.config);
  checkPlatform(parseConfig(config).platform, platform, name);

  const layer: LayerProvider = async (expected, index) => {
    const descriptor = found.parsed.layers[index] as Descriptor;
    const item = descriptor.digest.slice(7, 19);
    const total = descriptor.size;
    const present = expected.diffId === undefined ? undefined : layers.hold(expected.diffId, work);
    if (present !== undefined) {
      options.onProgress?.({ item, phase: 'exists', done: total, total });
      return present;
    }
    options.onProgress?.({ item, phase: 'waiting', done: 0, total });
    const onBytes = (done: number): void => options.onProgress?.({ item, phase: 'downloading', done, total });
    try {
      const added = await layers.add({ source: client.blob(descriptor), signal, onBytes }, expected, work);
      options.onProgress?.({ item, phase: 'done', done: total, total });
      return added;
    } catch (error) {
      ended.abort();
      throw error;
    }
  };
  const names = reference.tag === undefined || reference.digest !== undefined ? [] : [`${repository}:${reference.tag}`];
  const digests = found.digests.map((digest) => ({ repository, digest }));
  return assembleImage({ config, manifest: found, names, digests, layer }, images, work);
}

async function findImage(
  client: RegistryClient,
  tagOrDigest: string,
  platform: Platform,
  name: string,
): Promise<FoundImage> {
  const first = await client.manifest(tagOrDigest);
  const parsed = parseManifest(first.bytes);
  if (parsed.kind === 'manifest') return { bytes: first.bytes, parsed, digests: [first.digest] };
  const chosen = await client.manifest(selectPlatform(parsed, platform, name).digest);
  const manifest = parseManifest(chosen.bytes);
  if (manifest.kind !== 'manifest') throw new BoxError('UNSUPPORTED', `image ${name} is an index of indexes`);
  return { bytes: chosen.bytes, parsed: manifest, digests: [first.digest, chosen.digest] };
}

function checkPlatform(actual: Platform, wanted: Platform, name: string): void {
  if (actual.os === wanted.os && actual.architecture === wanted.architecture) return;
  throw new BoxError(
    'IMAGE_NOT_FOUND',
    `image ${name} is for ${platformText(actual)}, not for ${platformText(wanted)}`,
    {
      hint: 'choose an image for this platform',
    },
  );
}
