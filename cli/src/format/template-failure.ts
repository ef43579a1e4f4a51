import { BoxError } from '@a3s-box/core';

/** A template that can be read, and not be filled in with what there is. */
export function templateFailure(what: string, hint?: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', `template: ${what}`, hint === undefined ? {} : { hint });
}
