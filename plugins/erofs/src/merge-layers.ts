import { open, type FileHandle } from 'node:fs/promises';
import { BlockOutput } from './block-output.js';
import { deviceIndex } from './chunk-index.js';
import { BLOCK, DEVICE_SLOT } from './disk-format.js';
import { limitExceeded, writeFailure } from './fault.js';
import { readLayerMetadata } from './metadata-reader.js';
import { MergedTree } from './merge-tree.js';
import { writeMetadata } from './metadata-writer.js';
import { DEVICE_TABLE_BLOCK, encodeDeviceTable, encodeSuperblock, type DeviceSlot } from './superblock.js';

/** A layer that merged metadata refers to. */
export interface MergedDevice {
  /** Index among the layers. */
  readonly layer: number;
  /** Bytes of the layer's file. */
  readonly bytes: number;
}

export interface MergedLayers {
  /** Bytes of the merged file; a multiple of 4096. */
  readonly bytes: number;
  /**
   * The layers that it refers to. The disk is the merged file and these layers' files, in this order, with nothing
   * between them.
   */
  readonly devices: readonly MergedDevice[];
}

/** Addresses have 32 bits. */
const MAX_BLOCKS = 2 ** 32 - 1;

/**
 * Writes an EROFS file of metadata that shows layers laid over each other (see FORMAT.md). It holds no file data; its
 * files point into the layers' files.
 *
 * @param layers paths of files that `writeLayer` wrote, lowest first
 * @param file open for writing and empty; stays the caller's, which removes it after an error
 * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL
 */
export async function mergeLayers(layers: readonly string[], file: FileHandle): Promise<MergedLayers> {
  const tree = new MergedTree();
  const blocks: number[] = [];
  for (const [index, path] of layers.entries()) {
    await using layer = await open(path, 'r');
    const metadata = await readLayerMetadata(layer, index + 1);
    tree.apply(metadata.root);
    blocks.push(metadata.blocks);
  }
  const used = numberDevices(tree);
  const tableBlocks = Math.ceil((used.length * DEVICE_SLOT) / BLOCK);
  const output = new BlockOutput(file, MAX_BLOCKS * BLOCK);
  output.zeroTo((DEVICE_TABLE_BLOCK + tableBlocks) * BLOCK);
  const metadata = await writeMetadata(tree.root, output, deviceIndex);
  await output.finish();

  let next = metadata.blocks;
  const slots: DeviceSlot[] = used.map((layer) => {
    const slot = { blocks: blocks[layer] as number, mappedBlock: next };
    next += slot.blocks;
    return slot;
  });
  if (next > MAX_BLOCKS) throw limitExceeded('image is larger than 16 TiB');
  const head = Buffer.concat([encodeSuperblock(metadata, slots), encodeDeviceTable(slots)]);
  await file.write(head, 0, head.length, 0).catch((error: unknown) => {
    throw writeFailure(error, 'a merged file system');
  });
  return {
    bytes: metadata.blocks * BLOCK,
    devices: used.map((layer) => ({ layer, bytes: (blocks[layer] as number) * BLOCK })),
  };
}

/** Numbers the layers that files are left of from 1 on. @returns their indexes */
function numberDevices(tree: MergedTree): number[] {
  const files = [...tree.files()];
  const used = [...new Set(files.map(({ data }) => data.device - 1))].sort((a, b) => a - b);
  const numbers = new Map(used.map((layer, index) => [layer + 1, index + 1]));
  for (const file of files) file.data = { ...file.data, device: numbers.get(file.data.device) as number };
  return used;
}
