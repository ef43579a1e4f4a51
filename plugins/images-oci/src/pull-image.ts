import { BoxError, isBoxError, type Image, type Platform, type PullOptions } from '@a3s-box/core';
import { assembleImage, type LayerProvider } from './image-assembly.js';
import { parseConfig } from './image-config.js';
import {
  ociLayerType,
  parseManifest,
  platformText,
  selectPlatform,
  type Descriptor,
  type ImageManifest,
} from './image-manifest.js';
import type { ImagePolicies } from './image-policies.js';
import type { LayerPlaces } from './layer-places.js';
import type { LoadContext } from './load-archive.js';
import { guestPlatform } from './platform.js';
import { parseReference, repositoryOf } from './reference.js';
import { Registries, type RegistryPatience } from './registries.js';
import { RegistryClient } from './registry-client.js';
import { RegistrySignatures } from './registry-signatures.js';
import type { Turns } from './turns.js';

/** What a pull needs besides what every load needs. */
export interface PullContext extends LoadContext {
  readonly patience: RegistryPatience;
  readonly places: LayerPlaces;
  /** Of the layers that are being fetched, by diff id. */
  readonly fetching: Turns;
  /** Most bytes of all layers of an image, as they are sent. */
  readonly maxImageBytes: number;
  readonly policies: ImagePolicies;
}

/** An image as a repository has it. */
export interface FoundImage {
  readonly client: RegistryClient;
  readonly bytes: Buffer;
  readonly parsed: ImageManifest;
  /** Digests that led here: of the index, if there is one, and of the manifest. */
  readonly digests: readonly string[];
}

/**
 * Fetches an image from its registry if the policies let it through: layers at the same time, each straight into its file while its digests are
 * computed. What the store has is not fetched.
 * @throws REGISTRY_FAILED, REGISTRY_DENIED, IMAGE_NOT_FOUND, IMAGE_CORRUPT, LIMIT_EXCEEDED, INVALID_REFERENCE, and
 * as `ImagePolicies.admit`
 */
export async function pullImage(
  name: string,
  { layers, images, work, patience, places, fetching, maxImageBytes, policies }: PullContext,
  options: PullOptions,
): Promise<Image> {
  const reference = parseReference(name);
  const repository = repositoryOf(reference);
  const platform = options.platform ?? guestPlatform();
  // Ends the other downloads when one fails.
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  await using registries = new Registries(options, signal, patience);
  const clients = registries.connections(reference).map((connection) => new RegistryClient(connection));
  const found = await findAnywhere(clients, reference.digest ?? (reference.tag as string), platform, name);
  const { client } = found;
  checkSize(found.parsed, maxImageBytes, name);
  const source = async (): Promise<RegistrySignatures> => new RegistrySignatures(client);
  const { rules, unverified } = await policies.admit(
    { repository, digests: found.digests, source },
    options.policyFile,
  );
  if (unverified) options.onWarning?.(`image ${name} is not verified: no image policy asks for a signature`);
  const config = await client.document(found.parsed.config);
  checkPlatform(parseConfig(config).platform, platform, name);

  const fetch: LayerProvider = async (expected, index) => {
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
      const mediaType = ociLayerType(descriptor.mediaType);
      if (mediaType !== undefined) {
        places.add(added.diffId, client.repository, { mediaType, digest: descriptor.digest, size: total });
      }
      options.onProgress?.({ item, phase: 'done', done: total, total });
      return added;
    } catch (error) {
      ended.abort();
      throw error;
    }
  };
  // Who waited for another to fetch a layer finds it here then.
  const layer: LayerProvider = (expected, index) =>
    fetching.take(expected.diffId ?? '', signal, () => fetch(expected, index));
  const names = reference.tag === undefined || reference.digest !== undefined ? [] : [`${repository}:${reference.tag}`];
  const digests = found.digests.map((digest) => ({ repository, digest }));
  const admissions = rules.map((rule) => ({ repository, rule }));
  return await assembleImage({ config, manifest: found, names, digests, admissions, layer }, images, work);
}

/** A mirror may lack what the registry has, and be out of order; the last one's answer counts. */
async function findAnywhere(
  clients: readonly RegistryClient[],
  tagOrDigest: string,
  platform: Platform,
  name: string,
): Promise<FoundImage> {
  for (const client of clients.slice(0, -1)) {
    try {
      return await findImage(client, tagOrDigest, platform, name);
    } catch (error) {
      if (!isBoxError(error) || !MIRROR_LACKS.includes(error.code)) throw error;
    }
  }
  return await findImage(clients.at(-1) as RegistryClient, tagOrDigest, platform, name);
}

const MIRROR_LACKS: readonly string[] = ['IMAGE_NOT_FOUND', 'REGISTRY_FAILED', 'REGISTRY_DENIED'];

function checkSize({ layers }: ImageManifest, limit: number, name: string): void {
  const bytes = layers.reduce((sum, { size }) => sum + size, 0);
  if (bytes <= limit) return;
  throw new BoxError('LIMIT_EXCEEDED', `layers of image ${name} have ${bytes} bytes, and ${limit} are allowed`, {
    hint: 'the setting maxImageBytes of the image store is the limit',
  });
}

/** @throws IMAGE_NOT_FOUND, also when there is none for the platform, IMAGE_CORRUPT, UNSUPPORTED, and as the client */
export async function findImage(
  client: RegistryClient,
  tagOrDigest: string,
  platform: Platform,
  name: string,
): Promise<FoundImage> {
  const first = await client.manifest(tagOrDigest);
  const parsed = parseManifest(first.bytes);
  if (parsed.kind === 'manifest') return { client, bytes: first.bytes, parsed, digests: [first.digest] };
  const chosen = await client.manifest(selectPlatform(parsed, platform, name).digest);
  const manifest = parseManifest(chosen.bytes);
  if (manifest.kind !== 'manifest') throw new BoxError('UNSUPPORTED', `image ${name} is an index of indexes`);
  return { client, bytes: chosen.bytes, parsed: manifest, digests: [first.digest, chosen.digest] };
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
