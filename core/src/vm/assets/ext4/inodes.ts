import { BLOCK_BYTES, INODE_BYTES, LOST_AND_FOUND_BLOCKS, MADE_AT, UUID, type Ext4Layout } from './layout.js';

const ROOT_INODE = 2;
export const JOURNAL_INODE = 8;
/** The first that is not the kernel's: lost+found. */
export const FIRST_INODE = 11;

const DIRECTORY = 0o040000;
const FILE = 0o100000;
const USES_EXTENTS = 0x80000;
const EXTRA_BYTES = 32;
const TYPE_DIRECTORY = 2;
const JOURNAL_MAGIC = 0xc03b3998;
const JOURNAL_SUPERBLOCK_V2 = 4;

interface InodeFields {
  readonly mode: number;
  readonly links: number;
  readonly start: number;
  readonly blocks: number;
}

/** @returns the first block of the table of inodes */
export function inodes(layout: Ext4Layout): Buffer {
  const table = Buffer.alloc(BLOCK_BYTES);
  const put = (number: number, inode: Buffer): unknown => inode.copy(table, (number - 1) * INODE_BYTES);
  // The list of bad blocks: empty, and nothing but times.
  put(1, times(Buffer.alloc(INODE_BYTES)));
  put(ROOT_INODE, inodeOf({ mode: DIRECTORY | 0o755, links: 3, start: layout.rootDirectory, blocks: 1 }));
  const { journal: start, journalBlocks: blocks, lostAndFound } = layout;
  put(JOURNAL_INODE, inodeOf({ mode: FILE | 0o600, links: 1, start, blocks }));
  const found = { mode: DIRECTORY | 0o700, links: 2, start: lostAndFound, blocks: LOST_AND_FOUND_BLOCKS };
  put(FIRST_INODE, inodeOf(found));
  return table;
}

function inodeOf({ mode, links, start, blocks }: InodeFields): Buffer {
  const inode = times(Buffer.alloc(INODE_BYTES));
  inode.writeUInt16LE(mode, 0x00);
  inode.writeUInt32LE(blocks * BLOCK_BYTES, 0x04);
  inode.writeUInt16LE(links, 0x1a);
  inode.writeUInt32LE((blocks * BLOCK_BYTES) / 512, 0x1c);
  inode.writeUInt32LE(USES_EXTENTS, 0x20);
  extentTree(start, blocks).copy(inode, 0x28);
  inode.writeUInt16LE(EXTRA_BYTES, 0x80);
  inode.writeUInt32LE(MADE_AT, 0x90);
  return inode;
}

function times(inode: Buffer): Buffer {
  for (const offset of [0x08, 0x0c, 0x10]) inode.writeUInt32LE(MADE_AT, offset);
  return inode;
}

/** The map of a file whose blocks follow each other. @param blocks at most 32,768 */
export function extentTree(start: number, blocks: number): Buffer {
  const tree = Buffer.alloc(60);
  tree.writeUInt16LE(0xf30a, 0);
  tree.writeUInt16LE(1, 2);
  tree.writeUInt16LE(4, 4);
  tree.writeUInt16LE(blocks, 16);
  tree.writeUInt32LE(start, 20);
  return tree;
}

/** The blocks of the root directory and, behind it, of lost+found. */
export function directories(): Buffer {
  const blocks = Buffer.alloc((1 + LOST_AND_FOUND_BLOCKS) * BLOCK_BYTES);
  const rest = BLOCK_BYTES - 24;
  entry(blocks, 0, { inode: ROOT_INODE, length: 12, name: '.' });
  entry(blocks, 12, { inode: ROOT_INODE, length: 12, name: '..' });
  entry(blocks, 24, { inode: FIRST_INODE, length: rest, name: 'lost+found' });
  entry(blocks, BLOCK_BYTES, { inode: FIRST_INODE, length: 12, name: '.' });
  entry(blocks, BLOCK_BYTES + 12, { inode: ROOT_INODE, length: BLOCK_BYTES - 12, name: '..' });
  // A directory's further blocks are one entry that stands for nothing.
  for (let block = 2; block <= LOST_AND_FOUND_BLOCKS; block++)
    blocks.writeUInt16LE(BLOCK_BYTES, block * BLOCK_BYTES + 4);
  return blocks;
}

interface DirectoryEntry {
  readonly inode: number;
  readonly length: number;
  readonly name: string;
}

function entry(blocks: Buffer, offset: number, { inode, length, name }: DirectoryEntry): void {
  blocks.writeUInt32LE(inode, offset);
  blocks.writeUInt16LE(length, offset + 4);
  blocks.writeUInt8(name.length, offset + 6);
  blocks.writeUInt8(TYPE_DIRECTORY, offset + 7);
  blocks.write(name, offset + 8, 'latin1');
}

/** The first block of an empty journal; its numbers are big-endian. */
export function journal({ journalBlocks }: Ext4Layout): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.writeUInt32BE(JOURNAL_MAGIC, 0x00);
  block.writeUInt32BE(JOURNAL_SUPERBLOCK_V2, 0x04);
  block.writeUInt32BE(BLOCK_BYTES, 0x0c);
  block.writeUInt32BE(journalBlocks, 0x10);
  // Its first block of log, the first number expected there, its one user.
  block.writeUInt32BE(1, 0x14);
  block.writeUInt32BE(1, 0x18);
  UUID.copy(block, 0x30);
  block.writeUInt32BE(1, 0x40);
  return block;
}
