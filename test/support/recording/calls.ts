/** What the recording libkrun (native/recording-libkrun) wrote down, and how two recordings are compared. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';

/** One call as it is written down. */
export interface RecordedCall {
  readonly call: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Absent where the function did not come back. */
  readonly result?: number;
}

/** All calls of a log; none while there is no log. */
export function readCalls(log: string): RecordedCall[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as RecordedCall);
}

/**
 * What of a call is the same in every run: paths and descriptors become the order of their first appearance, with the file
 * name where the caller chose one. `/proc/self/fd/N` and a file's own path are both a path; so recordings of the same backend
 * can be compared, and those of different systems by {@link shapeOf}.
 */
export function withoutPlaces(calls: readonly RecordedCall[]): RecordedCall[] {
  const names = new Map<string, string>();
  const place = (value: string): string => {
    const known = names.get(value) ?? `<path ${names.size + 1}>`;
    names.set(value, known);
    return known;
  };
  return calls.map((it) => ({
    ...it,
    arguments: Object.fromEntries(
      Object.entries(it.arguments).map(([name, value]) => {
        if (typeof value === 'string' && isPath(value)) return [name, place(value)];
        if (name === 'fd' && typeof value === 'number' && value >= 0) return [name, '<descriptor>'];
        return [name, value];
      }),
    ),
  }));
}

/** The names of the functions, in order: what is the same on every system for the same machine. */
export function shapeOf(calls: readonly RecordedCall[]): string[] {
  return calls.map(({ call }) => call);
}

/** Fails unless both recordings are of the same machine, made in the same way. */
export function assertSameCalls(actual: readonly RecordedCall[], expected: readonly RecordedCall[]): void {
  assert.deepEqual(withoutPlaces(actual), withoutPlaces(expected));
}

function isPath(value: string): boolean {
  return value.startsWith('/') || value.startsWith('\\\\') || /^[A-Za-z]:[\\/]/.test(value);
}
