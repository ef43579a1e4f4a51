import { BoxError } from '@a3s-box/core';

/** Result codes of SQLite (sqlite.org/rescode.html): no room for the database or its log, and none for the log's index. */
const SQLITE_FULL = 13;
const SQLITE_IOERR_SHMSIZE = 4874;

/** Gives a failed write its code. */
export function diskFailure(error: unknown): unknown {
  if (!isFull(error)) return error;
  return new BoxError('DISK_FULL', 'cannot write to the image store: no space left on the disk', {
    hint: 'free some space, or remove images that are no longer needed',
    cause: error,
  });
}

function isFull(error: unknown): boolean {
  const { code, errcode = 0 } = error as NodeJS.ErrnoException & { readonly errcode?: number };
  if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  return code === 'ERR_SQLITE_ERROR' && [SQLITE_FULL, SQLITE_IOERR_SHMSIZE].includes(errcode);
}
