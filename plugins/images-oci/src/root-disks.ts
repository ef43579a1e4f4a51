import { randomBytes } from 'node:crypto';
import { BoxError, type RootDisk } from '@a3s-box/core';
import type { Catalog } from './catalog.js';
import type { StorePaths } from './store-paths.js';
import { registerHolder, releaseHolder } from './work.js';
import { notFound } from './image-library.js';

/** Hands images out as disks, and keeps count of them. */
export class RootDisks {
  constructor(
    private readonly catalog: Catalog,
    private readonly paths: StorePaths,
  ) {}

  /** @throws IMAGE_NOT_FOUND, DISK_FULL, IMAGE_CORRUPT, CANCELLED */
  async take(imageId: string, signal: AbortSignal): Promise<RootDisk> {
    signal.throwIfAborted();
    const token = randomBytes(16).toString('hex');
    registerHolder(this.catalog, token, 'disk');
    try {
      const layers = this.hold(token, imageId);
      const [only] = layers;
      if (layers.length !== 1 || only === undefined || only.dependent) {
        throw new BoxError('UNSUPPORTED', `image ${imageId} has ${layers.length} layers`);
      }
      const path = this.paths.layerFile(only.diffId);
      let released = false;
      return {
        imageId,
        disk: { path, format: 'raw', readOnly: true },
        release: async () => {
          if (released) return;
          released = true;
          releaseHolder(this.catalog, token);
        },
      };
    } catch (error) {
      releaseHolder(this.catalog, token);
      throw error;
    }
  }

  private hold(token: string, imageId: string): { diffId: string; dependent: boolean }[] {
    return this.catalog.transaction(() => {
      if (this.catalog.get('SELECT 1 FROM images WHERE id = ?', imageId) === undefined) throw notFound(imageId);
      this.catalog.run('INSERT INTO held_disks (token, image_id) VALUES (?, ?)', token, imageId);
      const rows = this.catalog.all(
        `SELECT layers.diff_id, dependent FROM image_layers JOIN layers USING (diff_id)
         WHERE image_id = ? ORDER BY position`,
        imageId,
      );
      return rows.map((row) => {
        const diffId = String(row['diff_id']);
        this.catalog.run('INSERT OR IGNORE INTO held_layers (token, diff_id) VALUES (?, ?)', token, diffId);
        return { diffId, dependent: row['dependent'] === 1 };
      });
    });
  }
}
