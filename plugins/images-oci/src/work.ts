import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Catalog } from './catalog.js';
import { thisProcess } from './process-owner.js';
import type { StorePaths } from './store-paths.js';

/**
 * One operation's hold on the store: a directory for what it makes, and the layers that it needs before an image does.
 * It is written to the catalog before the directory is made, so that a later start finds what a crash left behind.
 */
export class Work implements AsyncDisposable {
  private constructor(
    private readonly catalog: Catalog,
    readonly token: string,
    readonly directory: string,
  ) {}

  static async begin(catalog: Catalog, paths: StorePaths): Promise<Work> {
    const token = randomBytes(16).toString('hex');
    registerHolder(catalog, token, 'work');
    const work = new Work(catalog, token, join(paths.work, token));
    await mkdir(work.directory, { mode: 0o700 });
    return work;
  }

  /** Makes a directory of its own for one thing. */
  async room(): Promise<string> {
    const path = join(this.directory, randomBytes(8).toString('hex'));
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  /** Keeps a layer from being removed while the work lasts. Call in a transaction. */
  holdLayer(diffId: string): void {
    this.catalog.run('INSERT OR IGNORE INTO held_layers (token, diff_id) VALUES (?, ?)', this.token, diffId);
  }

  /** Ends the hold and removes the directory with all in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
    releaseHolder(this.catalog, this.token);
  }
}

/** Writes down that this process holds something. */
export function registerHolder(catalog: Catalog, token: string, kind: 'work' | 'disk'): void {
  const owner = thisProcess();
  catalog.transaction(() => {
    catalog.run('INSERT INTO holders (token, kind, pid, born) VALUES (?, ?, ?, ?)', token, kind, owner.pid, owner.born);
  });
}

export function releaseHolder(catalog: Catalog, token: string): void {
  catalog.transaction(() => catalog.run('DELETE FROM holders WHERE token = ?', token));
}

/** Writes a small file so that it is there in full or not at all, also after a crash. Other files: see {@link moveInto}. */
export function writeDurably(path: string, temporary: string, bytes: Uint8Array | string): void {
  const file = openSync(temporary, 'wx', 0o600);
  try {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    for (let at = 0; at < buffer.length; ) at += writeSync(file, buffer, at);
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
