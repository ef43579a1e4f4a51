import { constants } from 'node:fs';
import { copyFile, open, rm, type FileHandle } from 'node:fs/promises';
import { dataExtents } from '@a3s-box/native';
import { BoxError } from '../errors/box-error.js';

const PIECE = 1024 * 1024;
/** What a file system says that cannot share the parts of two files, or not these two's. */
const CANNOT_SHARE = ['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY', 'EPERM'];

/**
 * Copies a disk's file: at once where the file system lets two files share what is equal (copy-on-write), else byte by
 * byte, its holes left out.
 * @param to absolute path; nothing is there, and nothing after a failure
 * @returns whether the two share their parts
 * @throws DISK_FULL, the signal's reason
 */
export async function copyDisk(from: string, to: string, signal: AbortSignal): Promise<'shared' | 'copied'> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return 'shared';
  } catch (error) {
    if (!CANNOT_SHARE.includes((error as NodeJS.ErrnoException).code ?? '')) throw failure(error, to);
  }
  await rm(to, { force: true });
  try {
    await using source = await open(from, 'r');
    await using target = await open(to, 'wx', 0o600);
    await copyData(source, target, signal);
    await target.datasync();
    return 'copied';
  } catch (error) {
    await rm(to, { force: true });
    throw failure(error, to);
  }
}

async function copyData(source: FileHandle, target: FileHandle, signal: AbortSignal): Promise<void> {
  const { size } = await source.stat();
  await target.truncate(size);
  const buffer = Buffer.allocUnsafe(PIECE);
  for (const [start, length] of dataExtents(source.fd)) {
    for (let at = start; at < start + length;) {
      signal.throwIfAborted();
      const { bytesRead } = await source.read(buffer, 0, Math.min(PIECE, start + length - at), at);
      if (bytesRead === 0) break;
      await target.write(buffer, 0, bytesRead, at);
      at += bytesRead;
    }
  }
}

function failure(error: unknown, path: string): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new BoxError('DISK_FULL', `no space is left for disk ${path}`, { hint: 'free some space', cause: error });
}
