import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessFull, type Catalog } from './catalog.js';
import { thisProcess } from './process-owner.js';
import type { StorePaths } from './store-paths.js';
import { sweep } from './sweep.js';

/**
 * One operation's hold on the store: a directory for what it makes, and the layers that it needs before an image does.
 * It is written to the catalog before the directory is made, so that a later start finds what a crash left behind.
 */
export class Work implements AsyncDisposable {
  private constructor(
    private readonly catalog: Catalog,
    private readonly paths: StorePaths,
    readonly token: string,
    readonly directory: string,
  ) {}

  static async begin(catalog: Catalog, paths: StorePaths): Promise<Work> {
    const token = randomBytes(16).toString('hex');
    catalog.passingTransaction(() => registerHolder(catalog, token, 'work'));
    const work = new Work(catalog, paths, token, join(paths.work, token));
    try {
      await mkdir(work.directory, { mode: 0o700 });
    } catch (error) {
      catalog.endHold(token);
      throw error;
    }
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

  /** Ends the hold, and removes the directory and those of the layers that came to be part of no image. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
    this.catalog.endHold(this.token);
    unlessFull(() => sweep(this.catalog, this.paths));
  }
}

/** Writes down that this process holds something. Call in a transaction. */
export function registerHolder(catalog: Catalog, token: string, kind: 'work' | 'disk'): void {
  const { pid, born } = thisProcess();
  catalog.run('INSERT INTO holders (token, kind, pid, born) VALUES (?, ?, ?, ?)', token, kind, pid, born);
}
