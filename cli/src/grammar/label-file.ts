import { readFileSync } from 'node:fs';
import { BoxError } from '@a3s-box/core';
import { parseAssignmentLines } from './environment.js';

/** Labels of files of `NAME[=VALUE]` lines, in the grammar of env files; a name alone has an empty value. */
export function labelsOf(files: readonly string[]): (readonly [string, string])[] {
  return files.flatMap((path) =>
    parseAssignmentLines(read(path), `label file ${path}`, () => '').map((line) => {
      const equals = line.indexOf('=');
      return [line.slice(0, equals), line.slice(equals + 1)] as const;
    }),
  );
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new BoxError('INVALID_ARGUMENT', `label file ${path} cannot be read: ${code}`, {
      hint: 'name a file of NAME=VALUE lines',
      cause,
    });
  }
}
