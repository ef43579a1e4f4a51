import { BoxError } from '../errors/box-error.js';
import type { ErrorCode } from '../errors/error-table.js';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  ENOTDIR: 'INVALID_ARGUMENT',
  EISDIR: 'INVALID_ARGUMENT',
  ELOOP: 'INVALID_ARGUMENT',
  ENAMETOOLONG: 'INVALID_ARGUMENT',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
};

/** The error for a file of the host. @param what was to be done with it, `read` for example */
export function pathFailure(what: string, path: Buffer | string, error: unknown): BoxError {
  if (error instanceof BoxError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new BoxError('NOT_FOUND', `cannot ${what} ${path.toString()}: there is no such file`);
  return new BoxError(CODES[code] ?? 'INTERNAL', `cannot ${what} ${path.toString()}: ${message}`, { cause: error });
}
