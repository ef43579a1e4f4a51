import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import type { Image } from '@a3s-box/core';
import { replayArchive } from './archive-frames.js';
import { checkDigest, digestHex } from './digest.js';
import type { Blob } from './image-library.js';
import type { Layer } from './layer-library.js';
import { nameAnnotations } from './layout-index.js';
import { plainManifest } from './manifest.js';
import type { StorePaths } from './store-paths.js';
import { TarWriter } from './tar-writer.js';

/** An image with its layers, all held. */
export interface SavedImage {
  readonly image: Image;
  readonly layers: readonly Layer[];
}

/**
 * Writes images as an oci-archive that is a docker-archive as well: blobs, then index.json and manifest.json. Layers
 * are written uncompressed, as the archives they came as, and checked on the way; manifests name them so.
 * @throws IMAGE_CORRUPT when a layer of the store is damaged
 */
export async function* saveArchive(images: readonly SavedImage[], paths: StorePaths): AsyncGenerator<Buffer> {
  const tar = new TarWriter();
  const written = new Set<string>();
  const manifests: object[] = [];
  const dockerManifests: object[] = [];
  yield* tar.file({ name: 'oci-layout', mode: 0o644 }, Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
  for (const directory of ['blobs/', 'blobs/sha256/'])
    yield tar.header({ type: 'directory', name: directory, mode: 0o755 });
  for (const { image, layers } of images) {
    const config: Blob = { bytes: readFileSync(paths.blob(image.id)), digest: image.id };
    const manifest = plainManifest(config, layers);
    for (const layer of layers) {
      if (!added(written, layer.diffId)) continue;
      yield tar.header({ type: 'file', name: blobName(layer.diffId), mode: 0o644, size: layer.tarBytes });
      yield* layerBytes(layer, paths);
      yield tar.padding(layer.tarBytes);
    }
    for (const blob of [config, manifest]) {
      if (added(written, blob.digest))
        yield* tar.file({ name: blobName(blob.digest), mode: 0o644 }, Buffer.from(blob.bytes));
    }
    const descriptor = {
      mediaType: manifest.mediaType,
      digest: manifest.digest,
      size: manifest.bytes.length,
      platform: image.platform,
    };
    manifests.push(
      ...(image.names.length === 0 ? [descriptor] : []),
      ...image.names.map((name) => ({ ...descriptor, annotations: nameAnnotations(name) })),
    );
    dockerManifests.push({
      Config: blobName(config.digest),
      RepoTags: image.names,
      Layers: layers.map(({ diffId }) => blobName(diffId)),
    });
  }
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
  yield* tar.file({ name: 'index.json', mode: 0o644 }, Buffer.from(JSON.stringify(index)));
  yield* tar.file({ name: 'manifest.json', mode: 0o644 }, Buffer.from(JSON.stringify(dockerManifests)));
  yield tar.end();
}

/** The archive that a layer was made of, uncompressed. @throws IMAGE_CORRUPT at its end when it is not that */
export async function* layerBytes(layer: Layer, paths: StorePaths): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  await using file = await open(paths.layerFile(layer.diffId));
  for await (const chunk of replayArchive(paths.framesFile(layer.diffId), file)) {
    hash.update(chunk);
    yield chunk;
  }
  checkDigest('layer in the store', layer.diffId, `sha256:${hash.digest('hex')}`);
}

function added(set: Set<string>, value: string): boolean {
  if (set.has(value)) return false;
  set.add(value);
  return true;
}

function blobName(digest: string): string {
  return `blobs/sha256/${digestHex(digest)}`;
}
