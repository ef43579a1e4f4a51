import { BoxError } from '../errors/box-error.js';

/** The error for a tar stream that breaks its format. */
export function corrupt(message: string): BoxError {
  return new BoxError('IMAGE_CORRUPT', message, {
    hint: 'fetch or build the archive again; its content is not what its format demands',
  });
}
