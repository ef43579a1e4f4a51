import { BLOCK_BITS, CHUNK_INDEXES } from './disk-format.js';
import { HOLE, type FileData, type Inode } from './inode.js';

/** How files refer to their blocks. */
export interface ChunkIndex {
  /** Bytes of each address; also what the array is aligned to. */
  readonly unit: number;
  /** Addresses that a file needs; 0 when its inode alone says where its data lies. */
  count(inode: Inode): number;
  /** The chunk format in the inode. */
  format(data: FileData, size: number): number;
  encode(data: FileData, size: number): Buffer;
}

/** Within one device: files of one run need nothing, others a list of 4-byte block addresses. */
export const blockMap: ChunkIndex = {
  unit: 4,
  count: ({ data }) => (data?.kind === 'chunks' ? data.blocks.length : 0),
  format: (data) => (data.kind === 'chunks' ? data.bits : 0),
  encode(data) {
    if (data.kind === 'run') return Buffer.alloc(0);
    const bytes = Buffer.alloc(4 * data.blocks.length);
    data.blocks.forEach((block, index) => bytes.writeUInt32LE(block, 4 * index));
    return bytes;
  },
};

/** Over several devices: 8 bytes for each chunk, with the device's number; a file of one run is one chunk. */
export const deviceIndex: ChunkIndex = {
  unit: 8,
  count: ({ data, size }) => (data === undefined || size === 0 ? 0 : data.kind === 'run' ? 1 : data.blocks.length),
  format: (data, size) => CHUNK_INDEXES | (data.kind === 'chunks' ? data.bits : bitsFor(size)),
  encode(data) {
    const blocks = data.kind === 'run' ? [data.block] : data.blocks;
    const bytes = Buffer.alloc(8 * blocks.length);
    blocks.forEach((block, index) => {
      bytes.writeUInt16LE(block === HOLE ? 0 : data.device, 8 * index + 2);
      bytes.writeUInt32LE(block, 8 * index + 4);
    });
    return bytes;
  },
};

/** The least number of bits such that a chunk of `4096 << bits` bytes holds a file of this size. */
function bitsFor(size: number): number {
  let bits = 0;
  while (2 ** (BLOCK_BITS + bits) < size) bits++;
  return bits;
}
