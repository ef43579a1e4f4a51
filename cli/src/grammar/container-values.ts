/** Values of the flags of a box's container, read as Docker reads them. Each throws INVALID_ARGUMENT with what is wrong. */
import { BoxError } from '@a3s-box/core';
import type { Ulimit } from '@a3s-box/core/client';
import { nonEmpty, parseSize } from './values.js';

/** A whole number, also a negative one. */
export function parseWhole(value: string): number {
  if (!/^[+-]?\d+$/.test(value) || !Number.isSafeInteger(Number(value))) throw wrong('give a whole number');
  return Number(value);
}

/** A size, or `-1` for no limit. */
export function parseSizeOrNone(value: string): number {
  return value === '-1' ? -1 : parseSize(value);
}

/** `NAME=SOFT[:HARD]`; -1 for unlimited. */
export function parseUlimit(value: string): Ulimit {
  const [, name = '', soft = '', hard = soft] = /^([^=]+)=(-?\d+)(?::(-?\d+))?$/.exec(value) ?? [];
  if (name === '') throw wrong('give NAME=SOFT[:HARD] with numbers, -1 for unlimited');
  return { name, soft: parseWhole(soft), hard: parseWhole(hard) };
}

/** `NAME=VALUE`. */
export function parseAssignment(value: string): readonly [string, string] {
  const equals = value.indexOf('=');
  if (equals < 1) throw wrong('give NAME=VALUE');
  return [value.slice(0, equals), value.slice(equals + 1)];
}

/** `NAME[=VALUE]`. */
export function parseAnnotation(value: string): readonly [string, string] {
  return value.includes('=') ? parseAssignment(value) : [nonEmpty(value), ''];
}

/** `DIRECTORY[:OPTIONS]`. */
export function parseTmpfs(value: string): readonly [string, string] {
  const colon = value.indexOf(':');
  const [path, options] = colon < 0 ? [value, ''] : [value.slice(0, colon), value.slice(colon + 1)];
  if (!path.startsWith('/')) throw wrong(`"${path}" is not an absolute path`);
  return [path, options];
}

/** `NAME:ADDRESS`, or with `=` between them. @returns with a colon */
export function parseHostEntry(value: string): string {
  const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(value) ?? [];
  if (name === undefined || address === undefined) throw wrong('give NAME:ADDRESS');
  return `${name}:${address}`;
}

const PULL_POLICIES = ['always', 'missing', 'never'] as const;
export type PullPolicy = (typeof PULL_POLICIES)[number];

export function parsePullPolicy(value: string): PullPolicy {
  const policy = PULL_POLICIES.find((known) => known === value);
  if (policy === undefined) throw wrong(`give ${PULL_POLICIES.join(', ')}`);
  return policy;
}

function wrong(message: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message);
}
