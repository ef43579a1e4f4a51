import { crc32c } from './crc32c.js';
import {
  BLOCK,
  BLOCK_BITS,
  COMPAT_CHECKSUM,
  COMPAT_MTIME,
  DEVICE_SLOT,
  EROFS_MAGIC,
  INCOMPAT_CHUNKED_FILE,
  INCOMPAT_DEVICE_TABLE,
  SUPERBLOCK_OFFSET,
  writeUInt64,
} from './disk-format.js';
import type { WrittenMetadata } from './metadata-writer.js';

/** One further device of a merged file system. Counts are blocks. */
export interface DeviceSlot {
  readonly blocks: number;
  /** Where it starts in the flat address space. */
  readonly mappedBlock: number;
}

/** Block at which the device table of a merged file system starts. */
export const DEVICE_TABLE_BLOCK = 1;

/** Encodes block 0: the superblock with its checksum. */
export function encodeSuperblock(metadata: WrittenMetadata, devices: readonly DeviceSlot[]): Buffer {
  const block = Buffer.alloc(BLOCK);
  const sb = block.subarray(SUPERBLOCK_OFFSET);
  const chunked = metadata.chunked ? INCOMPAT_CHUNKED_FILE : 0;
  sb.writeUInt32LE(EROFS_MAGIC, 0);
  sb.writeUInt32LE(COMPAT_CHECKSUM | COMPAT_MTIME, 8);
  sb[12] = BLOCK_BITS;
  sb.writeUInt16LE(metadata.rootNid, 14);
  writeUInt64(sb, metadata.inodes, 16);
  sb.writeUInt32LE(metadata.blocks, 36);
  sb.writeUInt32LE(metadata.metaBlock, 40);
  sb.writeUInt32LE(devices.length === 0 ? chunked : chunked | INCOMPAT_DEVICE_TABLE, 80);
  if (devices.length > 0) {
    sb.writeUInt16LE(devices.length, 86);
    sb.writeUInt16LE((DEVICE_TABLE_BLOCK * BLOCK) / DEVICE_SLOT, 88);
  }
  sb.writeUInt32LE(crc32c(sb), 4);
  return block;
}

/** Encodes the device table (struct erofs_deviceslot for each device). */
export function encodeDeviceTable(devices: readonly DeviceSlot[]): Buffer {
  const table = Buffer.alloc(devices.length * DEVICE_SLOT);
  devices.forEach(({ blocks, mappedBlock }, index) => {
    table.writeUInt32LE(blocks, index * DEVICE_SLOT + 64);
    table.writeUInt32LE(mappedBlock, index * DEVICE_SLOT + 68);
  });
  return table;
}
