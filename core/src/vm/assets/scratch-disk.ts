import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { brotliDecompressSync } from 'node:zlib';
import { BoxError } from '../../errors/box-error.js';
import { SCRATCH_TEMPLATES } from './scratch-template.gen.js';

const GIB = 1024 ** 3;

/** Size of a scratch disk where nobody asks for another, bytes. It is sparse: an empty one takes 76 KiB. */
export const DEFAULT_SCRATCH_BYTES = 64 * GIB;

/** An empty ext4 file system, reduced to what is not zero in it. */
export interface ScratchTemplate {
  readonly sizeBytes: number;
  /** Offset and length of each piece, bytes; their contents follow each other in the data. */
  readonly extents: readonly (readonly [offset: number, length: number])[];
  /** Of the data before compression, hexadecimal. */
  readonly sha256: string;
  /** The data, compressed, base64. */
  readonly brotli: string;
}

/** Sizes that a scratch disk can have, bytes, ascending. */
export const SCRATCH_SIZES: readonly number[] = SCRATCH_TEMPLATES.map(({ sizeBytes }) => sizeBytes);

const unpacked = new Map<number, Buffer>();

/**
 * Makes an empty scratch disk: a sparse file with an ext4 file system. No other program is needed. It appears when it is
 * whole.
 *
 * @param path absolute path of the file to make, mode 0600; it must not exist
 * @param sizeBytes one of {@link SCRATCH_SIZES}
 * @throws INVALID_ARGUMENT for another size @throws ALREADY_EXISTS @throws DISK_FULL @throws ASSETS_CORRUPT when the
 * template of this installation is damaged
 */
export async function cloneScratch(path: string, sizeBytes: number = DEFAULT_SCRATCH_BYTES): Promise<void> {
  const template = SCRATCH_TEMPLATES.find((candidate) => candidate.sizeBytes === sizeBytes);
  if (template === undefined) {
    throw new BoxError('INVALID_ARGUMENT', `a scratch disk cannot have ${sizeBytes} bytes`, {
      hint: `sizes are ${SCRATCH_SIZES.map((size) => `${size / GIB} GiB`).join(', ')}`,
    });
  }
  if (existsSync(path)) throw new BoxError('ALREADY_EXISTS', `scratch disk ${path} is there already`);
  const data = templateData(template);
  const fresh = `${path}.new`;
  // Of a process that died in the middle.
  await rm(fresh, { force: true });
  const file = await open(fresh, 'wx', 0o600);
  try {
    await fill(file, template, data);
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

async function fill(file: FileHandle, { sizeBytes, extents }: ScratchTemplate, data: Buffer): Promise<void> {
  await file.truncate(sizeBytes);
  let position = 0;
  for (const [offset, length] of extents) {
    await file.write(data, position, length, offset);
    position += length;
  }
}

function isNoSpace(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}

/** Unpacks and checks a template; once per process. @throws ASSETS_CORRUPT */
export function templateData(template: ScratchTemplate): Buffer {
  const known = unpacked.get(template.sizeBytes);
  if (known !== undefined) return known;
  const data = unpack(template);
  if (data === undefined || createHash('sha256').update(data).digest('hex') !== template.sha256) {
    throw new BoxError('ASSETS_CORRUPT', 'the template of scratch disks is damaged', {
      hint: 'reinstall @a3s-box/core',
    });
  }
  unpacked.set(template.sizeBytes, data);
  return data;
}

function unpack({ brotli }: ScratchTemplate): Buffer | undefined {
  try {
    return brotliDecompressSync(Buffer.from(brotli, 'base64'));
  } catch {
    // Damaged in a way that the decompressor sees before the digest does.
    return undefined;
  }
}
