import { posix } from 'node:path';
import { BoxError, isBoxError, type Image, type LoadOptions } from '@a3s-box/core';
import { archiveMembers, type ArchiveMember } from './archive-members.js';
import { decompress } from './decompress.js';
import { digestHex } from './digest.js';
import { loadDockerArchive } from './load-docker-archive.js';
import { loadLayout, type LayoutContent } from './load-layout.js';
import type { ImageLibrary } from './image-library.js';
import { MAX_DOCUMENT } from './image-manifest.js';
import type { ExpectedDigests, Layer, LayerLibrary, MadeLayer } from './layer-library.js';
import { quoted } from './quoted.js';
import type { Work } from './work.js';

/** What loading needs of the store. */
export interface LoadContext {
  readonly layers: LayerLibrary;
  readonly images: ImageLibrary;
  readonly work: Work;
}

/** Bytes of JSON documents of one archive that are kept in memory. */
const MAX_DOCUMENTS = 64 * 1024 * 1024;

/** Members of one archive of images: layers and documents, and the directories and links of old docker-archives. */
const MAX_MEMBERS = 100_000;

/**
 * Loads a docker-archive or oci-archive from a stream in one pass. What the files of the archive are is known at its
 * end only, so all that is no JSON is made into a layer at once, where nobody sees it, and becomes visible when a
 * manifest names it and all digests agree.
 * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL, UNSUPPORTED
 */
export async function loadArchive(
  stream: AsyncIterable<Uint8Array>,
  context: LoadContext,
  options: LoadOptions,
): Promise<Image[]> {
  const content = new ArchiveContent(context, options);
  for await (const member of archiveMembers(decompress(buffers(stream)))) {
    options.signal.throwIfAborted();
    await content.take(member);
  }
  if (content.document('index.json') !== undefined) return loadLayout(content, context);
  const manifest = content.document('manifest.json');
  if (manifest !== undefined) return loadDockerArchive(manifest, content, context);
  throw new BoxError('IMAGE_CORRUPT', 'archive holds no image: it has neither index.json nor manifest.json', {
    hint: 'a root file system is taken in with "a3s-box import"',
  });
}

export async function* buffers(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** What an archive held, by path. */
export class ArchiveContent implements LayoutContent {
  private readonly documents = new Map<string, Buffer>();
  private readonly made = new Map<string, MadeLayer | BoxError>();
  private readonly links = new Map<string, string>();
  private documentBytes = 0;
  private members = 0;

  constructor(
    private readonly context: LoadContext,
    private readonly options: LoadOptions,
  ) {}

  /** @throws LIMIT_EXCEEDED, DISK_FULL, CANCELLED */
  async take({ entry, content }: ArchiveMember): Promise<void> {
    if (++this.members > MAX_MEMBERS) {
      throw new BoxError('LIMIT_EXCEEDED', `archive of images has more than ${MAX_MEMBERS} members`, {
        hint: 'a root file system is taken in with "a3s-box import"',
      });
    }
    const path = posix.normalize(`/${entry.name}`).slice(1);
    if (entry.type === 'symlink') this.links.set(path, posix.join('/', posix.dirname(path), entry.linkName).slice(1));
    if (entry.type === 'link') this.links.set(path, posix.normalize(`/${entry.linkName}`).slice(1));
    if (entry.type !== 'file' || entry.size === 0) return;
    const iterator = content[Symbol.asyncIterator]();
    const first = await iterator.next();
    if (first.done === true) return;
    const rest = { [Symbol.asyncIterator]: () => resumed(first.value, iterator) };
    const start = first.value[0];
    if (start === 0x7b || start === 0x5b) await this.keepDocument(path, entry.size, rest);
    else if (entry.size > 8 && !SMALL_FILES.test(path)) await this.makeLayer(path, entry.size, rest);
  }

  document(path: string): Buffer | undefined {
    return this.documents.get(this.target(path));
  }

  async blob(digest: string): Promise<Uint8Array> {
    const bytes = this.document(blobPath(digest));
    if (bytes === undefined) throw missing(blobPath(digest));
    return bytes;
  }

  async blobLayer(expected: ExpectedDigests & { readonly blobDigest: string }): Promise<Layer> {
    return this.layerAt(blobPath(expected.blobDigest), expected);
  }

  /** The layer that a file of the archive is. @throws IMAGE_CORRUPT */
  layerAt(path: string, expected: ExpectedDigests): Layer {
    const made = this.made.get(this.target(path));
    if (made === undefined) throw missing(path);
    if (isBoxError(made)) throw made;
    return this.context.layers.adopt(made, expected, this.context.work);
  }

  private target(path: string): string {
    let at = posix.normalize(`/${path}`).slice(1);
    for (let hops = 0; hops < 8; hops++) {
      const next = this.links.get(at);
      if (next === undefined) break;
      at = next;
    }
    return at;
  }

  private async keepDocument(path: string, size: number, content: AsyncIterable<Buffer>): Promise<void> {
    this.documentBytes += size;
    if (size > MAX_DOCUMENT || this.documentBytes > MAX_DOCUMENTS) {
      throw new BoxError('LIMIT_EXCEEDED', `archive has JSON documents of more than ${MAX_DOCUMENT} bytes`);
    }
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(part);
    this.documents.set(path, Buffer.concat(parts));
  }

  private async makeLayer(path: string, size: number, source: AsyncIterable<Buffer>): Promise<void> {
    const { onProgress, signal } = this.options;
    const item = posix.basename(path).slice(0, 12);
    const onBytes = (done: number): void => onProgress?.({ item, phase: 'reading', done, total: size });
    try {
      this.made.set(
        path,
        await this.context.layers.make({ source, signal, onBytes, requireEndMark: false }, this.context.work),
      );
      onProgress?.({ item, phase: 'done', done: size, total: size });
    } catch (error) {
      // It may be a file that no image refers to; if one does, this is what it gets.
      if (!isBoxError(error) || error.code !== 'IMAGE_CORRUPT') throw error;
      this.made.set(path, error);
    }
  }
}

/** Files of old docker-archives that are neither JSON nor layers. */
const SMALL_FILES = /(^|\/)VERSION$/;

async function* resumed(first: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

function blobPath(digest: string): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

function missing(path: string): BoxError {
  return new BoxError('IMAGE_CORRUPT', `archive lacks ${quoted(path)}, which its manifest names`, {
    hint: 'the archive is incomplete; make it again',
  });
}
