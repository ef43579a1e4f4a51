import type { ChunkIndex } from './chunk-index.js';
import {
  BLOCK,
  INODE_SIZE,
  LAYOUT_CHUNK_BASED,
  LAYOUT_FLAT_INLINE,
  LAYOUT_FLAT_PLAIN,
  SLOT,
  xattrSize,
} from './disk-format.js';
import { layOutDirectory, type DirectoryLayout } from './directory-layout.js';
import { S_IFLNK, type Inode } from './inode.js';

/** Where one inode and what belongs to it goes. Offsets are relative to the metadata area. */
export interface Placement {
  readonly inode: Inode;
  /** The directory it was met in first; the root for itself. */
  readonly parent: Inode;
  readonly offset: number;
  readonly layout: number;
  readonly xattrBytes: number;
  /** First of the blocks of its own (directories, long symbolic links), relative to the tree's extra blocks. */
  readonly extraBlock: number;
  readonly directory: DirectoryLayout | undefined;
}

export interface MetadataLayout {
  readonly placements: readonly Placement[];
  /** Bytes of the inode area. */
  readonly inodeBytes: number;
  /** Blocks behind the inode area for directories and symbolic links that do not fit in. */
  readonly extraBlocks: number;
  readonly inodeCount: number;
}

/** Number of the first slot in use: no inode has the number 0, which some programs take for a deleted entry. */
const FIRST_SLOT = 2;

/**
 * Gives every inode of a tree its place: the root first (its number has 16 bits), then directory by directory, so
 * that what is listed together lies together. Sets `nid` and `links` of the inodes, which must be fresh.
 */
export function layOutMetadata(root: Inode, chunks: ChunkIndex): MetadataLayout {
  const area = new InodeArea(chunks);
  const directories = [area.place(root, root)];
  root.links = 2;
  for (const { inode, directory } of directories) {
    for (const name of directory?.names ?? []) {
      const child = inode.entries?.get(name);
      if (child === undefined) continue;
      if (child.isDirectory) {
        directories.push(area.place(child, inode));
        child.links = 2;
        inode.links++;
      } else if (child.links++ === 0) {
        area.place(child, inode);
      }
    }
  }
  return {
    placements: area.placements,
    inodeBytes: area.end,
    extraBlocks: area.extraBlocks,
    inodeCount: area.placements.length,
  };
}

class InodeArea {
  readonly placements: Placement[] = [];
  end = FIRST_SLOT * SLOT;
  extraBlocks = 0;

  constructor(private readonly chunks: ChunkIndex) {}

  place(inode: Inode, parent: Inode): Placement {
    const directory = inode.entries === undefined ? undefined : layOutDirectory(inode.entries);
    const xattrBytes = xattrSize(inode.xattrs);
    const head = INODE_SIZE + xattrBytes;
    const content = directory?.size ?? (inode.type === S_IFLNK ? inode.size : 0);
    const tail = content % BLOCK;
    // The kernel wants a tail in the block of its inode, and attributes between them.
    const inline = tail > 0 && head + tail <= BLOCK;
    const together = inline ? head + tail : INODE_SIZE;
    if ((this.end % BLOCK) + together > BLOCK) this.end = roundUp(this.end, BLOCK);
    const indexes = this.chunks.count(inode);
    const placement: Placement = {
      inode,
      parent,
      offset: this.end,
      layout: indexes > 0 ? LAYOUT_CHUNK_BASED : inline ? LAYOUT_FLAT_INLINE : LAYOUT_FLAT_PLAIN,
      xattrBytes,
      extraBlock: this.extraBlocks,
      directory,
    };
    inode.nid = this.end / SLOT;
    this.placements.push(placement);
    this.extraBlocks += inline ? Math.floor(content / BLOCK) : Math.ceil(content / BLOCK);
    this.end += inline ? together : head;
    if (indexes > 0) this.end = roundUp(this.end, this.chunks.unit) + indexes * this.chunks.unit;
    this.end = roundUp(this.end, SLOT);
    return placement;
  }
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
