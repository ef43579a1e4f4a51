import { BoxError } from '@a3s-box/core';

/** The error for a tar stream or an EROFS file that breaks its format. */
export function corrupt(message: string): BoxError {
  return new BoxError('IMAGE_CORRUPT', message, {
    hint: 'fetch or build the archive again; its content is not what its format demands',
  });
}

/** The error for input that is larger than the caller allows. */
export function limitExceeded(message: string): BoxError {
  return new BoxError('LIMIT_EXCEEDED', message, { hint: 'raise the limit if you trust the source of this archive' });
}

/** Gives a failed file operation its code: DISK_FULL where the disk or quota is exhausted, else INTERNAL. */
export function writeFailure(error: unknown, subject: string): BoxError {
  if (error instanceof BoxError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new BoxError('DISK_FULL', `cannot write ${subject}: no space left on the disk`, {
      hint: 'free some space or remove images that are no longer needed',
      cause: error,
    });
  }
  return new BoxError('INTERNAL', `cannot write ${subject}: ${(error as Error).message}`, { cause: error });
}
