import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxError, type Image, type LoadOptions } from '@a3s-box/core';
import { digestHex } from './digest.js';
import { MAX_DOCUMENT } from './image-manifest.js';
import type { ExpectedDigests, Layer } from './layer-library.js';
import type { LoadContext } from './load-archive.js';
import { loadLayout, type LayoutContent } from './load-layout.js';

/**
 * Loads the images of a directory with an OCI layout.
 * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL, UNSUPPORTED
 */
export async function loadDirectory(path: string, context: LoadContext, options: LoadOptions): Promise<Image[]> {
  const layout = await readFile(join(path, 'index.json')).catch((cause: unknown) => {
    throw new BoxError('IMAGE_CORRUPT', `directory ${path} holds no OCI layout: its index.json cannot be read`, {
      hint: 'give a directory with oci-layout, index.json and blobs',
      cause,
    });
  });
  return loadLayout(new DirectoryContent(path, layout, context, options), context);
}

class DirectoryContent implements LayoutContent {
  private readonly adding = new Map<string, Promise<Layer>>();

  constructor(
    private readonly path: string,
    private readonly layout: Uint8Array,
    private readonly context: LoadContext,
    private readonly options: LoadOptions,
  ) {}

  document(path: string): Uint8Array | undefined {
    return path === 'index.json' ? this.layout : undefined;
  }

  async blob(digest: string): Promise<Uint8Array> {
    await using file = await open(this.blobPath(digest)).catch((cause: unknown) => {
      throw missing(digest, cause);
    });
    const { size } = await file.stat();
    if (size > MAX_DOCUMENT)
      throw new BoxError('LIMIT_EXCEEDED', `document ${digest} is larger than ${MAX_DOCUMENT} bytes`);
    return file.readFile();
  }

  blobLayer(expected: ExpectedDigests & { readonly blobDigest: string }): Promise<Layer> {
    const known = this.adding.get(expected.blobDigest);
    if (known !== undefined) return known;
    const adding = this.add(expected);
    this.adding.set(expected.blobDigest, adding);
    return adding;
  }

  private async add(expected: ExpectedDigests & { readonly blobDigest: string }): Promise<Layer> {
    const { layers, work } = this.context;
    const present = expected.diffId === undefined ? undefined : layers.hold(expected.diffId, work);
    if (present !== undefined) return present;
    const item = expected.blobDigest.slice(7, 19);
    const { onProgress, signal } = this.options;
    const source = createReadStream(this.blobPath(expected.blobDigest), { highWaterMark: 256 * 1024 });
    const onBytes = (done: number): void => onProgress?.({ item, phase: 'reading', done });
    const layer = await layers.add({ source: readable(source, expected.blobDigest), signal, onBytes }, expected, work);
    onProgress?.({ item, phase: 'done', done: layer.tarBytes, total: layer.tarBytes });
    return layer;
  }

  private blobPath(digest: string): string {
    return join(this.path, 'blobs', 'sha256', digestHex(digest));
  }
}

async function* readable(source: AsyncIterable<Buffer>, digest: string): AsyncGenerator<Buffer> {
  try {
    yield* source;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? missing(digest, error) : error;
  }
}

function missing(digest: string, cause: unknown): BoxError {
  return new BoxError('IMAGE_CORRUPT', `OCI layout lacks ${digest}, which its manifests name`, {
    hint: 'the layout is incomplete; make it again',
    cause,
  });
}
