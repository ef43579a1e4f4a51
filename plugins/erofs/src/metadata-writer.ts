import type { BlockOutput } from './block-output.js';
import type { ChunkIndex } from './chunk-index.js';
import { BLOCK, encodeInode, encodeXattrs, INODE_SIZE, LAYOUT_CHUNK_BASED, LAYOUT_FLAT_INLINE } from './disk-format.js';
import { encodeDirectoryBlock } from './directory-layout.js';
import { S_IFBLK, S_IFCHR, S_IFLNK, S_IFREG, type Inode } from './inode.js';
import { layOutMetadata, roundUp, type Placement } from './metadata-layout.js';

/** What the superblock needs to know about a written tree. */
export interface WrittenMetadata {
  readonly metaBlock: number;
  readonly rootNid: number;
  readonly inodes: number;
  /** Blocks of the file up to the end of the metadata. */
  readonly blocks: number;
  /** Whether any file is based on chunks. */
  readonly chunked: boolean;
}

/** Appends a tree's inodes, chunk indexes, directories and long links to the output, from the next block on. */
export async function writeMetadata(root: Inode, output: BlockOutput, chunks: ChunkIndex): Promise<WrittenMetadata> {
  const layout = layOutMetadata(root, chunks);
  const metaBlock = output.align();
  const base = metaBlock * BLOCK;
  const extraBase = metaBlock + roundUp(layout.inodeBytes, BLOCK) / BLOCK;
  const writer = new InodeWriter(output, chunks, extraBase);
  for (const placement of layout.placements) {
    output.zeroTo(base + placement.offset);
    writer.write(placement);
    if ((writer.count & 0x3ff) === 0) await output.drain();
  }
  output.align();
  for (const placement of layout.placements) {
    writeExtraBlocks(placement, output);
    await output.drain();
  }
  const blocks = output.align();
  return { metaBlock, rootNid: root.nid, inodes: writer.count, blocks, chunked: writer.chunked };
}

class InodeWriter {
  count = 0;
  chunked = false;
  private readonly record = Buffer.alloc(INODE_SIZE);

  constructor(
    private readonly output: BlockOutput,
    private readonly chunks: ChunkIndex,
    private readonly extraBase: number,
  ) {}

  write(placement: Placement): void {
    const { inode, layout, xattrBytes, directory } = placement;
    const size = directory?.size ?? inode.size;
    encodeInode(inode, { layout, xattrBytes, size, union: this.union(placement), ino: ++this.count }, this.record);
    this.output.append(this.record);
    if (inode.xattrs !== undefined && xattrBytes > 0) this.output.append(encodeXattrs(inode.xattrs));
    if (layout === LAYOUT_FLAT_INLINE) this.output.append(inlineTail(placement));
    if (layout === LAYOUT_CHUNK_BASED && inode.data !== undefined) {
      this.chunked = true;
      this.output.zeroTo(roundUp(this.output.position, this.chunks.unit));
      this.output.append(this.chunks.encode(inode.data, inode.size));
    }
  }

  private union({ inode, layout, extraBlock }: Placement): number {
    switch (inode.type) {
      case S_IFCHR:
      case S_IFBLK:
        return inode.device;
      case S_IFREG:
        if (inode.data === undefined) return 0;
        if (layout === LAYOUT_CHUNK_BASED) return this.chunks.format(inode.data, inode.size);
        return inode.data.kind === 'run' ? inode.data.block : 0;
      default:
        return this.extraBase + extraBlock;
    }
  }
}

/** The last part of a directory or link, which lies behind its inode. */
function inlineTail({ inode, parent, directory }: Placement): Buffer {
  if (directory === undefined) return Buffer.from(inode.target, 'latin1').subarray(inode.size - (inode.size % BLOCK));
  return encodeDirectoryBlock(directory, directory.starts.length - 1, inode, parent);
}

function writeExtraBlocks({ inode, parent, directory, layout }: Placement, output: BlockOutput): void {
  if (directory !== undefined) {
    const count = directory.starts.length - (layout === LAYOUT_FLAT_INLINE ? 1 : 0);
    for (let i = 0; i < count; i++) {
      output.append(encodeDirectoryBlock(directory, i, inode, parent));
      output.align();
    }
  } else if (inode.type === S_IFLNK && layout !== LAYOUT_FLAT_INLINE) {
    output.append(Buffer.from(inode.target, 'latin1'));
    output.align();
  }
}
