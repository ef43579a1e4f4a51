import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Progress } from '@a3s-box/core';
import { ociLayerType } from './image-manifest.js';
import type { Layer } from './layer-library.js';
import type { LayerBlob, LayerPlaces, Repository } from './layer-places.js';
import { GZIP_LAYER_TYPE } from './manifest.js';
import type { RegistryWriter, UploadSession } from './registry-writer.js';
import { layerBytes } from './save-archive.js';
import type { StorePaths } from './store-paths.js';
import type { Work } from './work.js';

/** So many forms of a layer are asked for before it is compressed. */
const MOST_FORMS = 4;
/** So many repositories are asked to hand a layer over. */
const MOST_MOUNTS = 3;

export interface LayerPusherParts {
  readonly writer: RegistryWriter;
  readonly target: Repository;
  readonly places: LayerPlaces;
  readonly paths: StorePaths;
  readonly work: Work;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** What an image says of one of its layers. */
export interface NamedLayer {
  /** As its manifest has it. */
  readonly blob: LayerBlob;
  /** Paths of the registry's repositories that have it as that. */
  readonly repositories: readonly string[];
}

/** Sees to it that layers are in a repository; each layer once. */
export class LayerPusher {
  private readonly pushed = new Map<string, Promise<LayerBlob>>();

  constructor(private readonly parts: LayerPusherParts) {}

  /**
   * @returns the layer as it is there
   * @throws REGISTRY_FAILED, REGISTRY_DENIED, IMAGE_CORRUPT, DISK_FULL
   */
  layer(layer: Layer, named: NamedLayer): Promise<LayerBlob> {
    const known = this.pushed.get(layer.diffId);
    if (known !== undefined) return known;
    const pushed = this.push(layer, named);
    this.pushed.set(layer.diffId, pushed);
    return pushed;
  }

  private async push(layer: Layer, { blob, repositories }: NamedLayer): Promise<LayerBlob> {
    const { writer, target, places } = this.parts;
    const known = places.of(layer.diffId);
    const named = ociLayerType(blob.mediaType) === undefined ? [] : [blob];
    const forms = distinct([...named, ...known.filter((it) => sameRepository(it, target)), ...known]);
    this.tell(layer, 'waiting', 0);
    for (const form of forms.slice(0, MOST_FORMS)) {
      if (await writer.has(form.digest)) return this.present(layer, form, 'exists');
    }
    const elsewhere = [
      ...named.flatMap((form) => repositories.map((path) => ({ form, path }))),
      ...known.filter(({ registry }) => registry === target.registry).map((form) => ({ form, path: form.path })),
    ].filter(({ path }) => path !== target.path);
    let begun: UploadSession | undefined;
    for (const { form, path } of elsewhere.slice(0, MOST_MOUNTS)) {
      const taken = await writer.mount(form.digest, path);
      if (taken === true) return this.present(layer, form, 'mounted');
      begun = taken;
      if (begun !== undefined) break;
    }
    return await this.send(layer, begun);
  }

  private async send(layer: Layer, begun: UploadSession | undefined): Promise<LayerBlob> {
    const { writer, target, places, paths, work, signal } = this.parts;
    const room = await work.room();
    try {
      const path = join(room, 'layer.tar.gz');
      this.tell(layer, 'compressing', 0, layer.tarBytes);
      const { digest, size } = await gzipInto(path, layerBytes(layer, paths), signal);
      const blob = { mediaType: GZIP_LAYER_TYPE, digest, size };
      places.add(layer.diffId, target, blob);
      // Somebody else may have compressed and sent the same.
      if (await writer.has(digest)) return this.present(layer, blob, 'exists');
      this.tell(layer, 'uploading', 0, size);
      await writer.upload(
        { digest, size, content: { path } },
        (bytes) => this.tell(layer, 'uploading', bytes, size),
        begun,
      );
      return this.present(layer, blob, 'done');
    } finally {
      await rm(room, { recursive: true, force: true });
    }
  }

  private present(layer: Layer, blob: LayerBlob, phase: Progress['phase']): LayerBlob {
    this.tell(layer, phase, blob.size, blob.size);
    return blob;
  }

  private tell({ diffId }: Layer, phase: Progress['phase'], done: number, total?: number): void {
    const item = diffId.slice(7, 19);
    this.parts.onProgress?.({ item, phase, done, ...(total !== undefined && { total }) });
  }
}

function sameRepository(one: Repository, other: Repository): boolean {
  return one.registry === other.registry && one.path === other.path;
}

function distinct(blobs: readonly LayerBlob[]): LayerBlob[] {
  return blobs.filter(({ digest }, index) => blobs.findIndex((other) => other.digest === digest) === index);
}

/** Compresses into a new file: the same bytes from the same source each time. */
async function gzipInto(
  path: string,
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  await pipeline(source, createGzip({ chunkSize: 256 * 1024 }), meter, file, { signal });
  return { digest: `sha256:${hash.digest('hex')}`, size };
}
