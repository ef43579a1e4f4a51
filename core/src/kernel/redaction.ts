import { isBoxError } from '../errors/box-error.js';

const SECRET_KEY =
  /passw(or)?d|passphrase|secret|token|credential|authori[sz]ation|cookie|(private|api|access|session|signing|encryption)[-_.]?key/i;
const ENVIRONMENT_KEY = /^(process[-_.]?)?env(ironment)?$/i;
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
const MAX_DEPTH = 8;

export const REDACTED = '[redacted]';

/**
 * A copy of log fields that can be written down: what lies under a key that sounds like a secret is gone, environments
 * keep their names without values, URLs lose user and password. Errors become plain objects with their causes, bytes
 * their length, and what refers to itself is cut.
 */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactMembers(fields, []);
}

function redactMembers(object: object, within: readonly object[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key, redactMember(key, value, [...within, object])]),
  );
}

function redactMember(key: string, value: unknown, within: readonly object[]): unknown {
  if (value === undefined || value === null) return value;
  if (SECRET_KEY.test(key)) return REDACTED;
  if (ENVIRONMENT_KEY.test(key)) return redactEnvironment(value);
  return redactValue(value, within);
}

function redactValue(value: unknown, within: readonly object[]): unknown {
  if (typeof value === 'string') return value.replace(URL_PASSWORD, `$1${REDACTED}@`);
  if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString();
  if (typeof value === 'function') return `[function ${value.name}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (within.includes(value)) return '[circular]';
  if (within.length >= MAX_DEPTH) return '[too deep]';
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Error) return redactError(value, within);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof Map) return redactMembers(Object.fromEntries(value), [...within, value]);
  if (Array.isArray(value) || value instanceof Set) return [...value].map((it) => redactValue(it, [...within, value]));
  return redactMembers(value, within);
}

function redactError(error: Error, within: readonly object[]): Record<string, unknown> {
  const { name, message, stack } = error;
  const members = isBoxError(error) ? { hint: error.hint, details: error.details } : {};
  const code = 'code' in error ? error.code : undefined;
  return redactMembers({ name, code, message, ...members, cause: error.cause, stack }, [...within, error]);
}

function redactEnvironment(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => `${String(entry).split('=', 1)[0]}=${REDACTED}`);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.keys(value).map((key) => [key, REDACTED]));
  }
  return REDACTED;
}
