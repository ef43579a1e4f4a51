/** Values of flags, read as Docker reads them. Each throws INVALID_ARGUMENT with what is wrong, without the flag. */
import { BoxError, FOR_EVER_MS } from '@a3s-box/core';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};
const SIZE = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?b?|b)?$/i;

/** A size such as `512m`, `1.5g`, `64kib`; without a unit, bytes. The units are powers of 1024. @returns bytes */
export function parseSize(value: string): number {
  const match = SIZE.exec(value);
  const bytes = match ? Math.trunc(Number(match[1]) * (UNITS[match[2]?.toLowerCase() ?? ''] ?? 1)) : NaN;
  if (!Number.isSafeInteger(bytes)) throw wrong(`invalid size: '${value}'`);
  return bytes;
}

const DECIMAL = /^(\d*)(?:\.(\d*))?$/;

/** A number of CPUs such as `1.5`. @returns billionths of a CPU */
export function parseCpus(value: string): number {
  const match = DECIMAL.exec(value);
  const [whole = '', fraction = ''] = match?.slice(1) ?? [];
  if (!match || (whole === '' && fraction === '')) throw wrong(`failed to parse ${value} as a number of CPUs`);
  if (fraction.replace(/0+$/, '').length > 9) throw wrong('value is too precise');
  const nano = Number(whole) * 1e9 + Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (!Number.isSafeInteger(nano)) throw wrong(`${value} is too many CPUs`);
  return nano;
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A time such as `90`, `90s`, `1m30s`, `500ms`; without a unit, seconds. @returns milliseconds, more than 0 */
export function parseDuration(value: string): number {
  if (!/^(?:\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?(?:ms|s|m|h))+)$/.test(value)) throw wrong(`invalid duration: '${value}'`);
  let total = 0;
  for (const [, number, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)?/g)) {
    total += Number(number) * (DURATION_UNITS[unit ?? 's'] ?? 0);
  }
  const ms = Math.round(total);
  if (ms < 1 || !Number.isSafeInteger(ms)) throw wrong('the time must be at least a millisecond');
  return ms;
}

/** A label, `NAME=value` or `NAME`. */
export function parseLabel(value: string): readonly [string, string] {
  const equals = value.indexOf('=');
  const [name, content] = equals < 0 ? [value, ''] : [value.slice(0, equals), value.slice(equals + 1)];
  if (name === '') throw wrong('a label needs a name');
  return [name, content];
}

/** An option of a log driver, `NAME=value`. */
export function parseLogOption(value: string): readonly [string, string] {
  const equals = value.indexOf('=');
  if (equals < 1) throw wrong('give NAME=VALUE');
  return [value.slice(0, equals), value.slice(equals + 1)];
}

const MOST_SECONDS = 4_294_967;

/** A number of whole seconds, or -1 for no limit. @returns milliseconds, or `FOR_EVER_MS` */
export function parseSeconds(value: string): number {
  if (value === '-1') return FOR_EVER_MS;
  if (!/^\d+$/.test(value) || Number(value) > MOST_SECONDS) {
    throw wrong(`give a number of seconds from 0 to ${MOST_SECONDS}, or -1 for no limit`);
  }
  return Number(value) * 1000;
}

/** A number of things. */
export function parseCount(value: string): number {
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(Number(value))) throw wrong('give a number');
  return Number(value);
}

/** A number of lines, or `all`. */
export function parseTail(value: string): number | 'all' {
  return value === 'all' || value === '-1' ? 'all' : parseCount(value);
}

const SHARING = /^(host|container:.*)$/;

/** Name of a network. */
export function parseNetwork(value: string): string {
  if (SHARING.test(value)) throw wrong('a box has a kernel of its own and shares no network stack');
  if (/[=,]/.test(value)) throw wrong('only a name is supported, no settings');
  return nonEmpty(value);
}

/** Something that must not be empty. */
export function nonEmpty(value: string): string {
  if (value === '') throw wrong('it is empty');
  return value;
}

function wrong(message: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message);
}
