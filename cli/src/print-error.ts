import { asBoxError } from '@a3s-box/core';
import { EndedBySignal } from './ended-by-signal.js';

export interface PrintOptions {
  /** One JSON document instead of text. */
  readonly json: boolean;
  /** With stacks and causes (A3S_BOX_DEBUG). */
  readonly debug: boolean;
}

/** The one place that prints errors, to stderr. @returns the exit status */
export function printError(thrown: unknown, { json, debug }: PrintOptions): number {
  const error = asBoxError(thrown);
  if (error instanceof EndedBySignal) {
    if (error.note !== undefined) process.stderr.write(`a3s-box: ${error.note}\n`);
    return error.exitStatus;
  }
  const { code, message, hint, details } = error;
  if (json) {
    const plain = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
    process.stderr.write(`${JSON.stringify({ error: { code, message, hint, details } }, plain)}\n`);
  } else {
    process.stderr.write(`a3s-box: ${message}\n${hint === undefined ? '' : `a3s-box: hint: ${hint}\n`}`);
  }
  if (debug) console.error(error);
  return error.exitStatus;
}
