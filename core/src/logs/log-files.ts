import { readdirSync, statSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './log-failure.js';

const BASE = 'box.log';
/** The next file, until it is whole and takes its place. */
const NEXT = 'box.log.next';
const NAME = /^box\.log(?:\.([1-9]\d{0,5}))?$/;

/** One file of a log as it was at one moment. Rotation changes its name, never its `ino`. */
export interface LogFileEntry {
  readonly name: string;
  readonly ino: bigint;
  readonly size: number;
}

/** A file that is open for reading; whoever has it closes it. */
export interface OpenLogFile extends LogFileEntry {
  readonly handle: FileHandle;
}

/** Name of a file by its age: 0 is written, 1 is the youngest that was rotated. */
export function logFileName(age: number): string {
  return age === 0 ? BASE : `${BASE}.${age}`;
}

/**
 * The files of a log, the oldest first; none when there is no directory. Right also while another process rotates them:
 * going from young to old, as rotation moves them, no file is missed, and one that moved meanwhile is seen twice. A
 * whole rotation during the look would mix up the order, so then it starts again.
 */
export function listLogFiles(directory: string): LogFileEntry[] {
  for (;;) {
    const entries = lookOnce(directory);
    const newest = entries.find(({ name }) => name === BASE);
    if (newest?.ino === statEntry(directory, BASE)?.ino) return entries.toReversed();
  }
}

function lookOnce(directory: string): LogFileEntry[] {
  const oldest = Math.max(-1, ...agesOf(directory));
  const seen = new Map<bigint, LogFileEntry>();
  for (let age = 0; ; age++) {
    const entry = statEntry(directory, logFileName(age));
    if (entry) seen.set(entry.ino, entry);
    else if (age > oldest) return [...seen.values()];
  }
}

/** Opens a file that was listed, wherever rotation moved it to. @returns undefined when it is gone */
export async function openLogFile(directory: string, ino: bigint): Promise<OpenLogFile | undefined> {
  for (;;) {
    const entry = listLogFiles(directory).find((file) => file.ino === ino);
    if (!entry) return undefined;
    const handle = await open(join(directory, entry.name), 'r').catch(ignoreMissing);
    if (!handle) continue;
    const { ino: opened, size } = await handle.stat({ bigint: true });
    if (opened === ino) return { name: entry.name, ino, size: Number(size), handle };
    await handle.close();
  }
}

/** A change of names that rotation makes. */
export type RotationStep = { readonly remove: string } | { readonly from: string; readonly to: string };

/**
 * What rotation does, in this order. After a crash between any two steps all that should be kept is still there, in the
 * order of the names, and rotation can be done again.
 *
 * @param ages of the files that exist
 */
export function rotationSteps(ages: readonly number[], maxFiles: number): RotationStep[] {
  const steps: RotationStep[] = ages
    .filter((age) => age > 0 && age >= maxFiles)
    .sort((a, b) => b - a)
    .map((age) => ({ remove: logFileName(age) }));
  let free = 0;
  while (free < maxFiles - 1 && ages.includes(free)) free++;
  for (; free > 0; free--) steps.push({ from: logFileName(free - 1), to: logFileName(free) });
  steps.push({ from: NEXT, to: BASE });
  return steps;
}

/**
 * Puts a new file in the place of the one that is written, and removes what is more than `maxFiles`.
 *
 * @param content what the new file starts with @returns the new file, to append to
 */
export async function rotateLogFiles(directory: string, maxFiles: number, content: Buffer): Promise<FileHandle> {
  const next = await open(join(directory, NEXT), 'w', 0o600);
  try {
    await next.writeFile(content);
  } finally {
    await next.close();
  }
  for (const step of rotationSteps(agesOf(directory), maxFiles)) {
    if ('remove' in step) await rm(join(directory, step.remove), { force: true });
    else await rename(join(directory, step.from), join(directory, step.to));
  }
  return open(join(directory, BASE), 'a+', 0o600);
}

/** Removes what a rotation that was cut short left. */
export async function removeUnfinished(directory: string): Promise<void> {
  await rm(join(directory, NEXT), { force: true });
}

function agesOf(directory: string): number[] {
  const matches = namesIn(directory).map((name) => NAME.exec(name));
  return matches.filter((match) => match !== null).map(([, age]) => Number(age ?? 0));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function statEntry(directory: string, name: string): LogFileEntry | undefined {
  const stat = statSync(join(directory, name), { bigint: true, throwIfNoEntry: false });
  return stat && { name, ino: stat.ino, size: Number(stat.size) };
}

function ignoreMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
