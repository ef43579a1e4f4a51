import { BoxError, ERROR_TABLE, isBoxError, type ErrorCode } from '@a3s-box/core';
import type { PackedError } from './worker-stream.js';

/** Makes an error fit for a message between threads, which would keep its text alone. */
export function packError(error: unknown): PackedError {
  if (isBoxError(error)) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.details === undefined ? {} : { details: error.details }),
    };
  }
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  return { message, ...(stack === undefined ? {} : { stack }) };
}

export function unpackError(packed: PackedError): BoxError {
  const code: ErrorCode =
    packed.code !== undefined && packed.code in ERROR_TABLE ? (packed.code as ErrorCode) : 'INTERNAL';
  return new BoxError(code, packed.message, {
    ...(packed.hint === undefined ? {} : { hint: packed.hint }),
    ...(packed.details === undefined ? {} : { details: packed.details }),
    ...(packed.stack === undefined ? {} : { cause: packed.stack }),
  });
}
