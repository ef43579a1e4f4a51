import { BoxError } from '@a3s-box/core';

/** @throws INVALID_ARGUMENT for both --json and --format */
export function checkOneFormat({
  json,
  format,
}: {
  readonly json: boolean;
  readonly format: string | undefined;
}): void {
  if (json && format !== undefined) {
    throw new BoxError('INVALID_ARGUMENT', 'conflicting options: --json and --format', { hint: 'give one of them' });
  }
}
