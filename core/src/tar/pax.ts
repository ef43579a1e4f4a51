import { corrupt } from './fault.js';

/** One record of a PAX extended header. The key holds one byte per character; the value is raw bytes. */
export interface PaxRecord {
  readonly key: string;
  readonly value: Buffer;
}

/**
 * Decodes the records of a PAX extended header (POSIX.1-2001, pax, "Extended Header"): `LENGTH KEY=VALUE\n`. Values
 * stay raw, since extended attributes and names need not be UTF-8.
 * @throws IMAGE_CORRUPT when a record is malformed
 */
export function decodePax(payload: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  let at = 0;
  while (at < payload.length) {
    // Some writers pad the payload with NULs.
    if (payload[at] === 0) break;
    const space = payload.indexOf(0x20, at);
    const digits = space === -1 ? '' : payload.toString('latin1', at, space);
    const length = /^[0-9]{1,10}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length < digits.length + 3 || end > payload.length || payload[end - 1] !== 0x0a) {
      throw corrupt('tar has a PAX header with a record of wrong length');
    }
    const equals = payload.indexOf(0x3d, space + 1);
    if (equals === -1 || equals >= end || equals === space + 1) {
      throw corrupt('tar has a PAX header with a record that has no key');
    }
    records.push({ key: payload.toString('latin1', space + 1, equals), value: payload.subarray(equals + 1, end - 1) });
    at = end;
  }
  return records;
}

/**
 * A non-negative decimal number of a PAX value.
 * @throws IMAGE_CORRUPT when it is none, or beyond 2^53
 */
export function paxNumber(key: string, value: Buffer): number {
  const digits = value.toString('latin1');
  const number = /^[0-9]{1,16}$/.test(digits) ? Number(digits) : NaN;
  if (!Number.isSafeInteger(number)) throw corrupt(`tar has a PAX header whose ${key} is no number`);
  return number;
}

/**
 * A PAX time: decimal seconds with an optional fraction, possibly negative.
 * @returns whole seconds, rounded down, and nanoseconds from 0 to 999,999,999
 * @throws IMAGE_CORRUPT when it is none
 */
export function paxTime(value: Buffer): { seconds: number; nanoseconds: number } {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.toString('latin1'));
  if (match === null) throw corrupt('tar has a PAX header whose mtime is no number');
  const whole = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds: whole, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -whole, nanoseconds: 0 }
    : { seconds: -whole - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}
