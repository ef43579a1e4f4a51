export const BLOCK_BYTES = 4096;
/** As many as one block of bitmap describes: 128 MiB. */
export const BLOCKS_PER_GROUP = 8 * BLOCK_BYTES;
export const INODE_BYTES = 256;
export const DESCRIPTOR_BYTES = 32;
/** Of every disk: two of these file systems never see each other, and the same size gives the same bytes. */
export const UUID = Buffer.from('5ca7c400a35b40008000000000000001', 'hex');
/** Seconds since 1970. */
export const MADE_AT = 1_700_000_000;
export const LOST_AND_FOUND_BLOCKS = 4;
const BYTES_PER_INODE = 32_768;
/** Fewer blocks than a group's own tables and 50 are not worth a group: as mke2fs has it. */
const SPARE_BLOCKS = 52;

/** Bytes: the least that leaves some room beside journal and tables. */
export const MIN_EXT4_BYTES = 16 * 1024 ** 2;
/** Bytes. Block numbers would reach four times as far; the largest that was tested. */
export const MAX_EXT4_BYTES = 4 * 1024 ** 4;

/** Where everything of an empty file system is: what describes it lies together at its start. Numbers of blocks. */
export interface Ext4Layout {
  /** Of the file system, which may be less than the file's. */
  readonly blocks: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  readonly inodeTableBlocks: number;
  readonly descriptorBlocks: number;
  readonly blockBitmaps: number;
  readonly inodeBitmaps: number;
  readonly inodeTables: number;
  readonly rootDirectory: number;
  readonly lostAndFound: number;
  readonly journal: number;
  readonly journalBlocks: number;
  /** All blocks below this one are in use, and no others. */
  readonly firstFree: number;
}

/** @param sizeBytes from {@link MIN_EXT4_BYTES} to {@link MAX_EXT4_BYTES} */
export function layoutOf(sizeBytes: number): Ext4Layout {
  const whole = Math.floor(sizeBytes / BLOCK_BYTES);
  const kept = groupsOf(whole);
  const rest = whole % BLOCKS_PER_GROUP;
  const blocks = rest > 0 && kept.groups > 1 && rest < kept.inodeTableBlocks + SPARE_BLOCKS ? whole - rest : whole;
  const { groups, inodeTableBlocks } = groupsOf(blocks);
  const descriptorBlocks = Math.ceil((groups * DESCRIPTOR_BYTES) / BLOCK_BYTES);
  const blockBitmaps = 1 + descriptorBlocks;
  const inodeBitmaps = blockBitmaps + groups;
  const inodeTables = inodeBitmaps + groups;
  const rootDirectory = inodeTables + groups * inodeTableBlocks;
  const lostAndFound = rootDirectory + 1;
  const journal = lostAndFound + LOST_AND_FOUND_BLOCKS;
  const journalBlocks = journalBlocksOf(blocks);
  return {
    ...{ blocks, groups, inodesPerGroup: (inodeTableBlocks * BLOCK_BYTES) / INODE_BYTES, inodeTableBlocks },
    ...{ descriptorBlocks, blockBitmaps, inodeBitmaps, inodeTables, rootDirectory, lostAndFound },
    ...{ journal, journalBlocks, firstFree: journal + journalBlocks },
  };
}

function groupsOf(blocks: number): Pick<Ext4Layout, 'groups' | 'inodeTableBlocks'> {
  const groups = Math.ceil(blocks / BLOCKS_PER_GROUP);
  const inodes = Math.floor((blocks * BLOCK_BYTES) / BYTES_PER_INODE);
  return { groups, inodeTableBlocks: Math.ceil((Math.ceil(inodes / groups) * INODE_BYTES) / BLOCK_BYTES) };
}

/** 4 MiB below 128 MiB, 16 MiB below 1 GiB, else 32 MiB. */
function journalBlocksOf(blocks: number): number {
  if (blocks < BLOCKS_PER_GROUP) return 1024;
  return blocks < 8 * BLOCKS_PER_GROUP ? 4096 : 8192;
}
