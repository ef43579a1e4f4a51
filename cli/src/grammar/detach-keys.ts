import { BoxError } from '@a3s-box/core';

/** Docker's: ctrl-p, ctrl-q. */
export const DEFAULT_DETACH_KEYS: Buffer = Buffer.from([0x10, 0x11]);
const CONTROL = /^ctrl-([a-z@[\\\]^_])$/i;

/**
 * Keys that leave a box: `ctrl-a`, `a,b`, `ctrl-p,ctrl-q`; nothing at all: there are none.
 * @returns the bytes that a terminal sends for them
 */
export function parseDetachKeys(value: string): Buffer {
  if (value === '') return Buffer.alloc(0);
  return Buffer.concat(value.split(',').map(byteOf));
}

function byteOf(key: string): Buffer {
  const control = CONTROL.exec(key)?.[1];
  // What a terminal sends for a letter with Ctrl held has the upper bits of the letter taken away.
  if (control !== undefined) return Buffer.from([(control.toUpperCase().codePointAt(0) ?? 0) & 0x1f]);
  if (/^[\x20-\x7e]$/.test(key)) return Buffer.from(key);
  throw new BoxError(
    'INVALID_ARGUMENT',
    `unknown key '${key}': give a letter, or ctrl- and a letter or one of @ [ \\ ] ^ _`,
  );
}
