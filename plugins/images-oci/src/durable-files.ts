import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Writes a small file so that it is there in full or not at all, also after a crash.  */
export function writeDurably(path: string, temporary: string, bytes: Uint8Array | string): void {
  const file = openSync(temporary, 'wx', 0o600);
  try {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    for (let at = 0; at < buffer.length;) at += writeSync(file, buffer, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  moveInto(temporary, path);
}

/** Renames something complete and durable to its place, durably. */
export function moveInto(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(dirname(to));
}

/** Makes the names in a directory durable, on systems that have the notion. */
export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
