import { asBoxError } from '../errors/as-box-error.js';
import { BoxError, isBoxError } from '../errors/box-error.js';

/** Whether a call of the file system failed because something does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** A failure of the file system, by what was being done. @returns a BoxError as it is */
export function logFailure(error: unknown, directory: string, operation: string): BoxError {
  if (isBoxError(error)) return error;
  const { code, message } = asBoxError(error);
  return new BoxError(code, `log ${directory}: ${operation} failed: ${message}`, {
    ...(code === 'DISK_FULL' ? { hint: 'free some space on that disk; what was not written can be written then' } : {}),
    details: { directory },
    cause: error,
  });
}
