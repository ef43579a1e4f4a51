import { BoxError } from '@a3s-box/core';

const NS_PER_S = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;
const UNITS: Readonly<Record<string, number>> = {
  ...{ ns: 1, us: 1e3, µs: 1e3, ms: 1e6 },
  ...{ s: 1e9, m: 60e9, h: 3600e9 },
};
const DURATION = /^(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))*$/;
const UNIX = /^(\d+)(?:\.(\d{1,9}))?$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?(?:(Z)|([+-])(\d\d):(\d\d))?$/;

/**
 * A point in time as Docker takes it: a duration before now (`10m`, `1h30m`), a date with or without a time of day
 * (RFC 3339; without a zone, the caller's) or seconds since the Unix epoch.
 * @returns nanoseconds since the Unix epoch
 * @throws INVALID_ARGUMENT
 */
export function parseMoment(value: string, now = new Date()): bigint {
  if (DURATION.test(value)) return BigInt(now.getTime()) * NS_PER_MS - durationNs(value);
  const unix = UNIX.exec(value);
  if (unix) return BigInt(unix[1] ?? 0) * NS_PER_S + fraction(unix[2]);
  const moment = dateNs(value);
  if (moment !== undefined && moment >= 0n) return moment;
  throw new BoxError('INVALID_ARGUMENT', 'it is neither a time, as 2026-01-02T15:04:05Z, nor a duration, as 10m');
}

function durationNs(value: string): bigint {
  let total = 0;
  for (const [, number, unit = ''] of value.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(number) * (UNITS[unit] ?? 0);
  }
  return BigInt(Math.round(total));
}

function dateNs(value: string): bigint | undefined {
  const match = DATE.exec(value);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part: string | undefined) => Number(part ?? 0));
  const utc = Date.UTC(year, month - 1, day, hour, minute, second);
  const spelled = new Date(utc).toISOString().slice(0, 19);
  // A day or hour that there is not would have become another.
  if (spelled !== [match[1], match[2], match[3]].join('-') + `T${clock(hour)}:${clock(minute)}:${clock(second)}`) {
    return undefined;
  }
  const [, , , , , , , digits, zulu, sign, zoneHours, zoneMinutes] = match;
  const offset = (sign === '-' ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000;
  const local = new Date(year, month - 1, day, hour, minute, second).getTime();
  const ms = zulu ? utc : sign ? utc - offset : local;
  return BigInt(ms) * NS_PER_MS + fraction(digits);
}

function clock(number: number): string {
  return String(number).padStart(2, '0');
}

function fraction(digits = ''): bigint {
  return BigInt(digits.padEnd(9, '0'));
}
