import { inspect } from 'node:util';
import { asBoxError } from '@a3s-box/core';
import { EndedBySignal } from './ended-by-signal.js';
import { escapeControls } from './escape-controls.js';

export interface PrintOptions {
  /** One JSON document instead of text. */
  readonly json: boolean;
  /** With stacks and causes (A3S_BOX_DEBUG). */
  readonly debug: boolean;
}

/**
 * The one place that prints errors, to stderr. Messages may hold text of images and registries: none of it reaches a
 * terminal as a control character.
 * @returns the exit status
 */
export function printError(thrown: unknown, { json, debug }: PrintOptions): number {
  const error = asBoxError(thrown);
  if (error instanceof EndedBySignal) {
    if (error.note !== undefined) write(`a3s-box: ${error.note}\n`);
    return error.exitStatus;
  }
  const { code, message, hint, details } = error;
  if (json) {
    const plain = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
    write(`${JSON.stringify({ error: { code, message, hint, details } }, plain)}\n`);
  } else {
    write(`a3s-box: ${message}\n${hint === undefined ? '' : `a3s-box: hint: ${hint}\n`}`);
  }
  if (debug) write(`${inspect(error)}\n`);
  return error.exitStatus;
}

function write(text: string): void {
  process.stderr.write(escapeControls(text));
}
