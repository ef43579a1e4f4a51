import { readFileSync } from 'node:fs';
import { BoxError } from '@a3s-box/core';

/** Variables of the caller. */
export type Variables = Readonly<Record<string, string | undefined>>;

const WHITE_SPACE = /[ \t]/;

/** Value of `-e`. @throws INVALID_ARGUMENT for one without a name */
export function parseVariable(value: string): string {
  if (value === '' || value.startsWith('='))
    throw new BoxError('INVALID_ARGUMENT', `invalid environment variable: ${value}`);
  return value;
}

/**
 * The variables of env files, then of `-e`, so that the latter count. `NAME` alone takes the caller's value; where the
 * caller has none, `-e NAME` stays as it is, which takes the image's away, and a file's line is left out.
 * @throws INVALID_ARGUMENT
 */
export function environmentOf(files: readonly string[], given: readonly string[], caller: Variables): string[] {
  return [
    ...files.flatMap((file) => readEnvFile(file, caller)),
    ...given.map((variable) => fromCaller(variable, caller) ?? variable),
  ];
}

function readEnvFile(path: string, caller: Variables): string[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new BoxError('INVALID_ARGUMENT', `env file ${path} cannot be read: ${code}`, { cause });
  }
  return parseEnvFile(bytes, path, caller);
}

/**
 * Docker's grammar of env files: a variable a line, `#` starts a comment at the beginning of a line only, values are
 * taken as they stand (no quotes, no escapes, no trimming), `NAME` alone takes the caller's value where it has one.
 * @param path for messages
 * @throws INVALID_ARGUMENT
 */
export function parseEnvFile(bytes: Uint8Array, path: string, caller: Variables): string[] {
  return parseAssignmentLines(bytes, `env file ${path}`, (name) => caller[name]);
}

/**
 * The grammar of env files, and of files of labels.
 * @param what the file, for messages
 * @param valueOf of a name that stands alone; undefined leaves the line out
 * @returns `NAME=value` each
 * @throws INVALID_ARGUMENT
 */
export function parseAssignmentLines(
  bytes: Uint8Array,
  what: string,
  valueOf: (name: string) => string | undefined,
): string[] {
  const assignments: string[] = [];
  linesOf(bytes).forEach((line, index) => {
    const where = `${what}, line ${index + 1}`;
    const content = decode(index === 0 ? withoutMark(line) : line, where).trimStart();
    if (content === '' || content.startsWith('#')) return;
    const [name = ''] = content.split('=', 1);
    if (name === '') throw new BoxError('INVALID_ARGUMENT', `${where}: no variable name on line '${content}'`);
    if (WHITE_SPACE.test(name))
      throw new BoxError('INVALID_ARGUMENT', `${where}: variable '${name}' contains whitespaces`);
    if (content.includes('=')) assignments.push(content);
    else {
      const value = valueOf(content);
      if (value !== undefined) assignments.push(`${content}=${value}`);
    }
  });
  return assignments;
}

/** `NAME=value`, or undefined for a name that the caller has no value for. */
function fromCaller(variable: string, caller: Variables): string | undefined {
  if (variable.includes('=')) return variable;
  const value = caller[variable];
  return value === undefined ? undefined : `${variable}=${value}`;
}

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    lines.push(bytes.subarray(start, bytes[end - 1] === 0x0d && end > start ? end - 1 : end));
    start = end + 1;
  }
  return lines;
}

function withoutMark(line: Uint8Array): Uint8Array {
  return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? line.subarray(3) : line;
}

function decode(line: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
  } catch (cause) {
    throw new BoxError('INVALID_ARGUMENT', `${where}: invalid utf8 bytes`, { cause });
  }
}
