import type { FileHandle } from 'node:fs/promises';
import { BlockOutput } from './block-output.js';
import { blockMap } from './chunk-index.js';
import { BLOCK } from './disk-format.js';
import { writeFailure } from './fault.js';
import { dataWriter, type DataWriter } from './file-data.js';
import { IMPLIED_XATTR, type Inode } from './inode.js';
import { LayerTree } from './layer-tree.js';
import { writeMetadata } from './metadata-writer.js';
import { encodeSuperblock } from './superblock.js';
import { TarReader, type TarEntry, type TarSink } from '@a3s-box/core';

/** Is told how the archive's bytes map to the file system's, so that the archive can be made again from it. */
export interface ArchiveRecorder {
  /** Bytes that are not kept in the file system. Valid during the call only. */
  frame(bytes: Buffer): void;
  /** Bytes that lie in the file system's file at `position`. */
  stored(position: number, length: number): void;
}

export interface WriteLayerOptions {
  readonly signal?: AbortSignal;
  /** Largest file system, in bytes. Default 1 TiB. */
  readonly maxBytes?: number;
  /** Most entries of the archive. Default 4 million. */
  readonly maxEntries?: number;
  /** Refuse an archive without end mark; for archives that no digest protects. */
  readonly requireEndMark?: boolean;
  readonly recorder?: ArchiveRecorder;
}

export interface WrittenLayer {
  /** Size of the file; a multiple of 4096. */
  readonly bytes: number;
  readonly inodes: number;
  /** Whether it holds whiteouts, opaque directories or links to lower layers, and so is not what a user sees. */
  readonly dependent: boolean;
  /** What could not be kept, in words; each once. */
  readonly warnings: readonly string[];
}

/** Bytes that are parsed between two looks at the output's backlog. */
const PIECE = 1024 * 1024;

/**
 * Writes the layer that a tar stream describes as an EROFS file (see FORMAT.md), in one pass; file data goes straight
 * to the output, only metadata is held. The same stream gives the same bytes.
 *
 * @param tar the archive, uncompressed; read to its end
 * @param file open for writing and empty; stays the caller's, which removes it after an error
 * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL, and the signal's reason
 */
export async function writeLayer(
  tar: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  file: FileHandle,
  options: WriteLayerOptions = {},
): Promise<WrittenLayer> {
  const output = new BlockOutput(file, options.maxBytes ?? 2 ** 40);
  output.zeroTo(BLOCK);
  const tree = new LayerTree({ maxEntries: options.maxEntries ?? 4_000_000 });
  const reader = new TarReader(new LayerSink(tree, output, options.recorder));
  for await (const chunk of tar) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = 0; at < bytes.length; at += PIECE) {
      options.signal?.throwIfAborted();
      reader.push(bytes.subarray(at, at + PIECE));
      await output.drain();
    }
  }
  reader.end(options.requireEndMark ?? false);
  markImplied(tree.root);
  const metadata = await writeMetadata(tree.root, output, blockMap);
  await output.finish();
  await file.write(encodeSuperblock(metadata, []), 0, BLOCK, 0).catch((error: unknown) => {
    throw writeFailure(error, 'a file system');
  });
  return {
    bytes: metadata.blocks * BLOCK,
    inodes: metadata.inodes,
    dependent: tree.dependent,
    warnings: [...tree.warnings],
  };
}

class LayerSink implements TarSink {
  private writer: DataWriter | undefined;

  constructor(
    private readonly tree: LayerTree,
    private readonly output: BlockOutput,
    private readonly recorder: ArchiveRecorder | undefined,
  ) {}

  entry(entry: TarEntry): void {
    const inode = this.tree.add(entry);
    const storedAt = (position: number, length: number): void => this.recorder?.stored(position, length);
    this.writer = inode === undefined ? undefined : dataWriter(entry, { inode, output: this.output, storedAt });
  }

  data(bytes: Buffer): void {
    if (this.writer === undefined) this.recorder?.frame(bytes);
    else this.writer.write(bytes);
  }

  entryEnd(): void {
    this.writer?.end();
    this.writer = undefined;
  }

  frame(bytes: Buffer): void {
    this.recorder?.frame(bytes);
  }
}

/** Notes on directories that no entry named that a merge must not take their owner, mode and times from here. */
function markImplied(root: Inode): void {
  const directories = [root];
  for (const directory of directories) {
    if (directory.implied) {
      directory.xattrs = [...(directory.xattrs ?? []), { name: IMPLIED_XATTR, value: Buffer.from('y') }];
    }
    for (const child of directory.entries?.values() ?? []) if (child.isDirectory) directories.push(child);
  }
}
