import { randomBytes } from 'node:crypto';
import type { DiskImage, RootDisk } from '@a3s-box/core';
import { unlessFull, type Catalog } from './catalog.js';
import { notFound } from './image-library.js';
import type { LayerWorkers } from './layer-workers.js';
import { MergedDisks } from './merged-disks.js';
import type { StorePaths } from './store-paths.js';
import { sweep } from './sweep.js';
import { registerHolder } from './work.js';

interface HeldImage {
  readonly diskKey: string;
  readonly layers: readonly { readonly diffId: string; readonly dependent: boolean }[];
}

/** Hands images out as disks, and keeps what they need while they are out. */
export class RootDisks {
  private readonly merged: MergedDisks;

  constructor(
    private readonly catalog: Catalog,
    private readonly paths: StorePaths,
    workers: LayerWorkers,
  ) {
    this.merged = new MergedDisks(catalog, paths, workers);
  }

  /** @throws IMAGE_NOT_FOUND, DISK_FULL, IMAGE_CORRUPT, LIMIT_EXCEEDED, CANCELLED */
  async take(imageId: string, signal: AbortSignal): Promise<RootDisk> {
    const token = randomBytes(16).toString('hex');
    const image = this.hold(token, imageId);
    try {
      const disk = await this.disk(image, signal);
      let released = false;
      const release = async (): Promise<void> => {
        if (released) return;
        released = true;
        this.giveBack(token, imageId);
      };
      return { imageId, disk, release };
    } catch (error) {
      this.giveBack(token, imageId);
      throw error;
    }
  }

  private async disk({ diskKey, layers }: HeldImage, signal: AbortSignal): Promise<DiskImage> {
    const [only] = layers;
    if (layers.length === 1 && only !== undefined && !only.dependent) {
      return { path: this.paths.layerFile(only.diffId), format: 'raw', readOnly: true };
    }
    const diffIds = layers.map(({ diffId }) => diffId);
    return this.merged.disk(diskKey, diffIds, signal);
  }

  private hold(token: string, imageId: string): HeldImage {
    return this.catalog.passingTransaction(() => {
      const image = this.catalog.get('SELECT disk_key FROM images WHERE id = ?', imageId);
      if (image === undefined) throw notFound(imageId);
      const diskKey = String(image['disk_key']);
      registerHolder(this.catalog, token, 'disk');
      this.catalog.run('UPDATE images SET used = ? WHERE id = ?', Date.now(), imageId);
      this.catalog.run('INSERT INTO held_disks (token, image_id, key) VALUES (?, ?, ?)', token, imageId, diskKey);
      this.catalog.run(
        'INSERT INTO held_layers (token, diff_id) SELECT DISTINCT ?, diff_id FROM image_layers WHERE image_id = ?',
        token,
        imageId,
      );
      const layers = this.catalog.all(
        `SELECT diff_id, dependent FROM image_layers JOIN layers USING (diff_id) WHERE image_id = ? ORDER BY position`,
        imageId,
      );
      return {
        diskKey,
        layers: layers.map((row) => ({ diffId: String(row['diff_id']), dependent: row['dependent'] === 1 })),
      };
    });
  }

  /** Ends the hold; where the image is gone meanwhile, so is what only this disk needed. */
  private giveBack(token: string, imageId: string): void {
    this.catalog.endHold(token);
    if (this.catalog.get('SELECT 1 FROM images WHERE id = ?', imageId) === undefined)
      unlessFull(() => sweep(this.catalog, this.paths));
  }
}
