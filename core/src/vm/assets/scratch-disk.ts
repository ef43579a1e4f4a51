import { existsSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { BoxError } from '../../errors/box-error.js';
import { emptyExt4, type Extent } from './ext4/image.js';
import { BLOCK_BYTES, MAX_EXT4_BYTES, MIN_EXT4_BYTES } from './ext4/layout.js';

const GIB = 1024 ** 3;

/** Size of a scratch disk where nobody asks for another, bytes. It is sparse: an empty one takes 76 KiB. */
export const DEFAULT_SCRATCH_BYTES = 64 * GIB;

/** Kept: nearly all disks are alike. */
let ofDefaultSize: readonly Extent[] | undefined;

/** @throws INVALID_ARGUMENT for a size that no disk here can have */
export function checkDiskSize(sizeBytes: number): void {
  if (Number.isInteger(sizeBytes) && sizeBytes >= MIN_EXT4_BYTES && sizeBytes <= MAX_EXT4_BYTES) return;
  throw new BoxError('INVALID_ARGUMENT', `a disk cannot have ${sizeBytes} bytes`, {
    hint: 'sizes are from 16m to 4t; a disk takes up what is written to it',
  });
}

/**
 * Makes an empty disk: a sparse file with an ext4 file system. No other program is needed. It appears when it is whole.
 *
 * @param path absolute path of the file to make, mode 0600; it must not exist
 * @param sizeBytes from 16 MiB to 4 TiB; what is no whole block of 4 KiB is made one
 * @throws INVALID_ARGUMENT for another size @throws ALREADY_EXISTS @throws DISK_FULL, also where the host's file system
 * has no files as large
 */
export async function cloneScratch(path: string, sizeBytes: number = DEFAULT_SCRATCH_BYTES): Promise<void> {
  checkDiskSize(sizeBytes);
  if (existsSync(path)) throw new BoxError('ALREADY_EXISTS', `scratch disk ${path} is there already`);
  const wholeBytes = Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  const extents = extentsOf(wholeBytes);
  const fresh = `${path}.new`;
  // Of a process that died in the middle.
  await rm(fresh, { force: true });
  const file = await open(fresh, 'wx', 0o600);
  try {
    await fill(file, wholeBytes, extents);
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw isNoSpace(error)
      ? new BoxError('DISK_FULL', `no space is left for scratch disk ${path}`, { cause: error })
      : error;
  } finally {
    await file.close();
  }
}

function extentsOf(sizeBytes: number): readonly Extent[] {
  if (sizeBytes !== DEFAULT_SCRATCH_BYTES) return emptyExt4(sizeBytes);
  ofDefaultSize ??= emptyExt4(sizeBytes);
  return ofDefaultSize;
}

async function fill(file: FileHandle, sizeBytes: number, extents: readonly Extent[]): Promise<void> {
  await file.truncate(sizeBytes);
  for (const { offset, data } of extents) await file.write(data, 0, data.length, offset);
}

function isNoSpace(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}
