import { extentTree, FIRST_INODE, JOURNAL_INODE } from './inodes.js';
import {
  BLOCK_BYTES,
  BLOCKS_PER_GROUP,
  INODE_BYTES,
  LOST_AND_FOUND_BLOCKS,
  MADE_AT,
  UUID,
  type Ext4Layout,
} from './layout.js';

export const SUPERBLOCK_OFFSET = 1024;

const HASH_SEED = Buffer.from('5ca7c400a35b40008000000000000002', 'hex');

/** has_journal, ext_attr, dir_index, sparse_super2. */
const COMPATIBLE = 0x4 | 0x8 | 0x20 | 0x200;
/** filetype, extent, flex_bg. */
const INCOMPATIBLE = 0x2 | 0x40 | 0x200;
/** large_file, huge_file, uninit_bg, dir_nlink, extra_isize. */
const READ_ONLY_COMPATIBLE = 0x2 | 0x8 | 0x10 | 0x20 | 0x40;
const DEFAULT_MOUNT_OPTIONS = 0x4 | 0x8;
const EXTRA_INODE_BYTES = 32;
/** Directories and lost+found: what is in use, and is data. */
const DATA_BLOCKS = 1 + LOST_AND_FOUND_BLOCKS;

/** @returns its 1 KiB; offsets are those of the kernel's `struct ext4_super_block` */
export function superblock(layout: Ext4Layout): Buffer {
  const block = Buffer.alloc(1024);
  const u32 = (offset: number, value: number): unknown => block.writeUInt32LE(value, offset);
  const u16 = (offset: number, value: number): unknown => block.writeUInt16LE(value, offset);
  const inodes = layout.groups * layout.inodesPerGroup;
  u32(0x00, inodes);
  u32(0x04, layout.blocks);
  u32(0x0c, layout.blocks - layout.firstFree);
  u32(0x10, inodes - FIRST_INODE);
  u32(0x18, Math.log2(BLOCK_BYTES / 1024));
  u32(0x1c, Math.log2(BLOCK_BYTES / 1024));
  u32(0x20, BLOCKS_PER_GROUP);
  u32(0x24, BLOCKS_PER_GROUP);
  u32(0x28, layout.inodesPerGroup);
  u32(0x30, MADE_AT);
  // No check is due by a number of mounts.
  u16(0x36, 0xffff);
  u16(0x38, 0xef53);
  // Clean; errors are continued from.
  u16(0x3a, 1);
  u16(0x3c, 1);
  u32(0x40, MADE_AT);
  u32(0x4c, 1);
  u32(0x54, FIRST_INODE);
  u16(0x58, INODE_BYTES);
  u32(0x5c, COMPATIBLE);
  u32(0x60, INCOMPATIBLE);
  u32(0x64, READ_ONLY_COMPATIBLE);
  UUID.copy(block, 0x68);
  u32(0xe0, JOURNAL_INODE);
  HASH_SEED.copy(block, 0xec);
  // Directories are hashed by half MD4; the journal's inode is backed up here.
  block.writeUInt8(1, 0xfc);
  block.writeUInt8(1, 0xfd);
  u32(0x100, DEFAULT_MOUNT_OPTIONS);
  u32(0x108, MADE_AT);
  extentTree(layout.journal, layout.journalBlocks).copy(block, 0x10c);
  u32(0x14c, layout.journalBlocks * BLOCK_BYTES);
  u16(0x15c, EXTRA_INODE_BYTES);
  u16(0x15e, EXTRA_INODE_BYTES);
  // Hashes of names take letters as signed.
  u32(0x160, 1);
  // One group of groups: all that describes it lies together.
  block.writeUInt8(Math.ceil(Math.log2(layout.groups)), 0x174);
  u32(0x248, layout.firstFree - DATA_BLOCKS);
  return block;
}
