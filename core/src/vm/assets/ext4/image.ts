import { crc16 } from './crc16.js';
import { directories, inodes, journal } from './inodes.js';
import { BLOCK_BYTES, BLOCKS_PER_GROUP, DESCRIPTOR_BYTES, layoutOf, UUID, type Ext4Layout } from './layout.js';
import { superblock, SUPERBLOCK_OFFSET } from './superblock.js';

/** A piece of a file system that is not zero. */
export interface Extent {
  /** Bytes from the start. */
  readonly offset: number;
  readonly data: Buffer;
}

/** Flags of a group: what of it was never written, and that its inodes read as zeros. */
const INODE_UNINIT = 1;
const BLOCK_UNINIT = 2;
const INODE_ZEROED = 4;
/** Those below 11 are the kernel's; 11 is lost+found. */
const USED_INODES = 11;
const DIRECTORIES = 2;

/**
 * An empty ext4 file system: all of it that is not zero. It is what mke2fs makes of the same options, but for the count of
 * bytes that it wrote (docs/adr/0012).
 *
 * @param sizeBytes of the file, from 16 MiB to 4 TiB; what is no whole block or group more is left over
 */
export function emptyExt4(sizeBytes: number): Extent[] {
  const layout = layoutOf(sizeBytes);
  return [
    { offset: SUPERBLOCK_OFFSET, data: superblock(layout) },
    { offset: BLOCK_BYTES, data: descriptors(layout) },
    ...blockBitmaps(layout),
    { offset: layout.inodeBitmaps * BLOCK_BYTES, data: bitmap(USED_INODES, layout.inodesPerGroup) },
    { offset: layout.inodeTables * BLOCK_BYTES, data: inodes(layout) },
    { offset: layout.rootDirectory * BLOCK_BYTES, data: Buffer.concat([directories(), journal(layout)]) },
  ];
}

function descriptors(layout: Ext4Layout): Buffer {
  const table = Buffer.alloc(layout.groups * DESCRIPTOR_BYTES);
  const ofFileSystem = crc16(UUID, 0xffff);
  const number = Buffer.alloc(4);
  for (let group = 0; group < layout.groups; group++) {
    const descriptor = table.subarray(group * DESCRIPTOR_BYTES, (group + 1) * DESCRIPTOR_BYTES);
    const { used, size } = blocksOf(layout, group);
    const freeInodes = layout.inodesPerGroup - (group === 0 ? USED_INODES : 0);
    descriptor.writeUInt32LE(layout.blockBitmaps + group, 0);
    descriptor.writeUInt32LE(layout.inodeBitmaps + group, 4);
    descriptor.writeUInt32LE(layout.inodeTables + group * layout.inodeTableBlocks, 8);
    descriptor.writeUInt16LE(size - used, 12);
    descriptor.writeUInt16LE(freeInodes, 14);
    descriptor.writeUInt16LE(group === 0 ? DIRECTORIES : 0, 16);
    descriptor.writeUInt16LE(flagsOf(layout, group), 18);
    descriptor.writeUInt16LE(freeInodes, 28);
    number.writeUInt32LE(group);
    descriptor.writeUInt16LE(crc16(descriptor.subarray(0, 30), crc16(number, ofFileSystem)), 30);
  }
  return table;
}

function flagsOf(layout: Ext4Layout, group: number): number {
  // The last group's bitmap has to say where the file system ends.
  const untouched = blocksOf(layout, group).used === 0 && group !== layout.groups - 1;
  return INODE_ZEROED | (group === 0 ? 0 : INODE_UNINIT) | (untouched ? BLOCK_UNINIT : 0);
}

function blocksOf({ blocks, firstFree }: Ext4Layout, group: number): { readonly used: number; readonly size: number } {
  const start = group * BLOCKS_PER_GROUP;
  const size = Math.min(blocks - start, BLOCKS_PER_GROUP);
  return { used: Math.min(Math.max(firstFree - start, 0), size), size };
}

function blockBitmaps(layout: Ext4Layout): Extent[] {
  const last = layout.groups - 1;
  const begun = Math.min(Math.ceil(layout.firstFree / BLOCKS_PER_GROUP), layout.groups);
  const groups = [...Array(begun).keys(), ...(begun > last ? [] : [last])];
  return groups.flatMap((group) => {
    const { used, size } = blocksOf(layout, group);
    const full = used === 0 && size === BLOCKS_PER_GROUP;
    return full ? [] : [{ offset: (layout.blockBitmaps + group) * BLOCK_BYTES, data: bitmap(used, size) }];
  });
}

/** A block of bits: the first are set, and those that stand for nothing. */
function bitmap(used: number, size: number): Buffer {
  const bits = Buffer.alloc(BLOCK_BYTES);
  setBits(bits, 0, used);
  setBits(bits, size, 8 * BLOCK_BYTES);
  return bits;
}

function setBits(bits: Buffer, from: number, to: number): void {
  const whole = [Math.ceil(from / 8), Math.floor(to / 8)] as const;
  if (whole[0] < whole[1]) bits.fill(0xff, ...whole);
  const set = (bit: number): unknown => bits.writeUInt8((bits[bit >>> 3] ?? 0) | (1 << (bit & 7)), bit >>> 3);
  for (let bit = from; bit < Math.min(whole[0] * 8, to); bit++) set(bit);
  for (let bit = Math.max(whole[1] * 8, from); bit < to; bit++) set(bit);
}
