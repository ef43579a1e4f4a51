import { existsSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskImage } from '@a3s-box/core';
import { flatDescriptor, type FlatExtent } from '@a3s-box/erofs';
import type { Catalog } from './catalog.js';
import type { LayerWorkers } from './layer-workers.js';
import { DESCRIPTOR_FILE, MERGED_FILE, type StorePaths } from './store-paths.js';
import { moveInto, writeDurably } from './durable-files.js';
import { Work } from './work.js';

/** The disks of images that are more than one layer: merged metadata and a descriptor, made at the first use. */
export class MergedDisks {
  private readonly making = new Map<string, Promise<void>>();

  constructor(
    private readonly catalog: Catalog,
    private readonly paths: StorePaths,
    private readonly workers: LayerWorkers,
  ) {}

  /**
   * The disk of these layers, which the caller holds, as well as the disk's key.
   * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL, UNSUPPORTED
   */
  async disk(key: string, diffIds: readonly string[], signal: AbortSignal): Promise<DiskImage> {
    if (this.find(key) === undefined) await this.makeOnce(key, diffIds, signal);
    const extents = this.find(key) ?? [];
    await this.describe(key, extents);
    return {
      path: this.descriptor(key),
      format: 'vmdk',
      readOnly: true,
      extents: extents.map(({ path }) => path),
    };
  }

  /** Calls for one disk at the same time share the work; when the first is cancelled, the next takes over. */
  private async makeOnce(key: string, diffIds: readonly string[], signal: AbortSignal): Promise<void> {
    for (let other = this.making.get(key); other !== undefined; other = this.making.get(key)) {
      await other.catch(() => undefined);
      signal.throwIfAborted();
      if (this.find(key) !== undefined) return;
    }
    const making = this.make(key, diffIds, signal).finally(() => this.making.delete(key));
    this.making.set(key, making);
    await making;
  }

  private async make(key: string, diffIds: readonly string[], signal: AbortSignal): Promise<void> {
    await using work = await Work.begin(this.catalog, this.paths);
    const directory = await work.room();
    const layers = diffIds.map((diffId) => this.paths.layerFile(diffId));
    const merged = await this.workers.merge({ layers, target: join(directory, MERGED_FILE) }, signal);
    this.catalog.transaction(() => {
      if (this.find(key) !== undefined) return;
      rmSync(this.paths.disk(key), { recursive: true, force: true });
      moveInto(directory, this.paths.disk(key));
      this.catalog.run('INSERT INTO disks (key, bytes) VALUES (?, ?)', key, merged.bytes);
      merged.devices.forEach(({ layer }, position) => {
        const diffId = diffIds[layer] as string;
        this.catalog.run('INSERT INTO disk_layers (key, position, diff_id) VALUES (?, ?, ?)', key, position, diffId);
      });
    });
  }

  /** The files of a disk; undefined when it is not made, or a crash took its file. */
  private find(key: string): FlatExtent[] | undefined {
    const row = this.catalog.get('SELECT bytes FROM disks WHERE key = ?', key);
    if (row === undefined) return undefined;
    const merged = join(this.paths.disk(key), MERGED_FILE);
    if (!existsSync(merged)) {
      this.catalog.run('DELETE FROM disks WHERE key = ?', key);
      return undefined;
    }
    const layers = this.catalog.all(
      'SELECT diff_id, bytes FROM disk_layers JOIN layers USING (diff_id) WHERE key = ? ORDER BY position',
      key,
    );
    return [
      { path: merged, bytes: Number(row['bytes']) },
      ...layers.map((layer) => ({
        path: this.paths.layerFile(String(layer['diff_id'])),
        bytes: Number(layer['bytes']),
      })),
    ];
  }

  /** Writes the descriptor, which names absolute paths, where it is missing or the store was moved. */
  private async describe(key: string, extents: readonly FlatExtent[]): Promise<void> {
    const wanted = flatDescriptor(extents);
    const present = await readFile(this.descriptor(key), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (present === wanted) return;
    await using work = await Work.begin(this.catalog, this.paths);
    writeDurably(this.descriptor(key), join(work.directory, DESCRIPTOR_FILE), wanted);
  }

  private descriptor(key: string): string {
    return join(this.paths.disk(key), DESCRIPTOR_FILE);
  }
}
