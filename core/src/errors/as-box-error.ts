import { BoxError, isBoxError } from './box-error.js';
import { ERROR_TABLE, type ErrorCode } from './error-table.js';

/** Failures of the system that have one meaning wherever they occur. */
const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
};

/** What a `DOMException` of this name means when an operation ends with it (`AbortSignal`). */
const ABORT_CODES: Readonly<Record<string, ErrorCode>> = { AbortError: 'CANCELLED', TimeoutError: 'TIMEOUT' };

/** Whether a value is a code of this version's table. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_TABLE, value);
}

/**
 * Whatever was thrown, as a {@link BoxError}: itself where it is one, `CANCELLED` or `TIMEOUT` for an abort, the code of
 * a system failure that has one meaning, else `INTERNAL`. The original stays as `cause`. For the edges only.
 */
export function asBoxError(thrown: unknown): BoxError {
  // What went wrong first says more than what failed while that was cleared up.
  if (thrown instanceof SuppressedError) return asBoxError(thrown.suppressed);
  if (isBoxError(thrown) && isErrorCode(thrown.code)) return thrown;
  if (!(thrown instanceof Error)) {
    return new BoxError('INTERNAL', `a value that is no error was thrown: ${String(thrown)}`, { cause: thrown });
  }
  return new BoxError(codeOf(thrown), thrown.message, { cause: thrown });
}

/** Exit status that a command ends with for whatever was thrown; 125 for what is none of ours. */
export function exitStatusOf(thrown: unknown): number {
  return ERROR_TABLE[asBoxError(thrown).code].exitStatus;
}

function codeOf(error: Error): ErrorCode {
  const system = 'code' in error && typeof error.code === 'string' ? SYSTEM_CODES[error.code] : undefined;
  return system ?? ABORT_CODES[error.name] ?? 'INTERNAL';
}
