import { BoxError } from '../../errors/box-error.js';
import { parseExact } from '../exact-json.js';
import type { Argument, ArchitectureMap, Condition, Profile, Rule } from './profile.js';

/** More than any profile in use; Docker's own has 13,000. */
const MOST_CHARACTERS = 1_000_000;
const ROOT = 'seccomp profile';

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads a profile: OCI's form or Docker's. What is in it beyond what guests apply is refused by its path; the guest itself
 * checks names of calls, actions and comparisons.
 * @throws INVALID_ARGUMENT
 */
export function parseProfile(text: string): Profile {
  if (text.length > MOST_CHARACTERS) throw wrong(ROOT, `is longer than ${MOST_CHARACTERS} characters`);
  const root = members(ROOT, decode(text), [
    'defaultAction',
    'defaultErrnoRet',
    'architectures',
    'archMap',
    'flags',
    'syscalls',
  ]);
  const given = within(ROOT, root);
  if (root['architectures'] && root['archMap']) throw wrong(ROOT, 'has both architectures and archMap');
  return {
    defaultAction: string(`${ROOT}: defaultAction`, root['defaultAction']),
    ...given('defaultErrnoRet', whole),
    ...given('architectures', strings),
    ...given('archMap', (path, value) => list(path, value, architectureMap)),
    ...given('flags', strings),
    syscalls: list(`${ROOT}: syscalls`, root['syscalls'] ?? [], rule),
  };
}

function decode(text: string): unknown {
  try {
    return parseExact(text);
  } catch (cause) {
    throw wrong(ROOT, `is not JSON: ${(cause as Error).message}`);
  }
}

function architectureMap(path: string, value: unknown): ArchitectureMap {
  const found = members(path, value, ['architecture', 'subArchitectures']);
  return {
    architecture: string(`${path}.architecture`, found['architecture']),
    subArchitectures: strings(`${path}.subArchitectures`, found['subArchitectures'] ?? []),
  };
}

function rule(path: string, value: unknown): Rule {
  const known = ['names', 'name', 'action', 'errnoRet', 'args', 'comment', 'includes', 'excludes'];
  const found = members(path, value, known);
  const given = within(path, found);
  const { name } = found;
  const names = name === undefined ? strings(`${path}.names`, found['names']) : [string(`${path}.name`, name)];
  return {
    names,
    action: string(`${path}.action`, found['action']),
    ...given('errnoRet', whole),
    ...given('args', (at, args) => list(at, args, argument)),
    ...given('includes', condition),
    ...given('excludes', condition),
  };
}

function argument(path: string, value: unknown): Argument {
  const found = members(path, value, ['index', 'value', 'valueTwo', 'op']);
  return {
    index: whole(`${path}.index`, found['index'] ?? 0),
    value: word(`${path}.value`, found['value'] ?? 0),
    valueTwo: word(`${path}.valueTwo`, found['valueTwo'] ?? 0),
    op: string(`${path}.op`, found['op']),
  };
}

function condition(path: string, value: unknown): Condition {
  const found = members(path, value, ['caps', 'arches', 'minKernel']);
  const given = within(path, found);
  return {
    ...given('caps', strings),
    ...given('arches', strings),
    ...given('minKernel', kernel),
  };
}

function kernel(path: string, value: unknown): string {
  const version = string(path, value);
  if (/^\d+\.\d+$/.test(version)) return version;
  throw wrong(path, `"${version}" is not a version such as 4.8`);
}

/** Reads members that may be left out, or be null, as in Go. */
function within(path: string, found: Members) {
  return <K extends string, T>(key: K, read: (path: string, value: unknown) => T): { readonly [P in K]?: T } => {
    const value = found[key];
    if (value === undefined || value === null) return {};
    return { [key]: read(path === ROOT ? `${ROOT}: ${key}` : `${path}.${key}`, value) } as { readonly [P in K]?: T };
  };
}

function members(path: string, value: unknown, known: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'is not an object');
  const unknown = Object.keys(value).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw wrong(path, `has ${unknown.join(', ')}, which is not supported`);
  return value as Members;
}

function list<T>(path: string, value: unknown, read: (path: string, value: unknown) => T): T[] {
  if (!Array.isArray(value)) throw wrong(path, 'is not a list');
  return value.map((item, index) => read(`${path}[${index}]`, item));
}

function strings(path: string, value: unknown): string[] {
  return list(path, value, string);
}

function string(path: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw wrong(path, 'is not a text');
}

function whole(path: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
  throw wrong(path, 'is not a whole number of at least 0');
}

function word(path: string, value: unknown): number | bigint {
  if (typeof value === 'bigint' && value >= 0n && value < 2n ** 64n) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(path, 'is not a number of 64 bits');
}

function wrong(path: string, reason: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', `${path} ${reason}`, {
    hint: "write it as the OCI runtime specification's linux.seccomp, or as Docker's profiles are written",
  });
}
