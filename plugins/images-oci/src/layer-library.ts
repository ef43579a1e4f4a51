import { existsSync, rmSync } from 'node:fs';
import type { Logger } from '@a3s-box/core';
import type { Catalog } from './catalog.js';
import { checkDigest } from './digest.js';
import type { LayerLimits, LayerResult } from './layer-job.js';
import type { LayerWorkers } from './layer-workers.js';
import type { StorePaths } from './store-paths.js';
import { moveInto, type Work } from './work.js';

/** A layer of the store. */
export interface Layer {
  readonly diffId: string;
  /** Bytes of its EROFS file. */
  readonly bytes: number;
  /** Bytes of its archive, uncompressed. */
  readonly tarBytes: number;
  /** Whether it cannot serve as a root file system as it is. */
  readonly dependent: boolean;
}

export interface NewLayer {
  readonly source: AsyncIterable<Uint8Array>;
  /** Digest of the source as it comes, where it is known. */
  readonly blobDigest?: string;
  /** Digest of the archive, where it is known. */
  readonly diffId?: string;
  readonly signal: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}

/** The layers of a store. Each is kept once, under its diff id, and only after its digests were found right. */
export class LayerLibrary {
  constructor(
    private readonly catalog: Catalog,
    private readonly paths: StorePaths,
    private readonly workers: LayerWorkers,
    private readonly limits: LayerLimits,
    private readonly logger: Logger,
  ) {}

  /** The layer if it is there, held for the work. */
  hold(diffId: string, work: Work): Layer | undefined {
    return this.catalog.transaction(() => {
      const layer = this.find(diffId);
      if (layer !== undefined) work.holdLayer(diffId);
      return layer;
    });
  }

  /**
   * Adds a layer, held for the work. Where an equal one came first, that one stays.
   * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL, UNSUPPORTED, CANCELLED
   */
  async add(layer: NewLayer, work: Work): Promise<{ layer: Layer; result: LayerResult }> {
    const directory = await work.room();
    const job = {
      directory,
      limits: this.limits,
      requireEndMark: layer.blobDigest === undefined && layer.diffId === undefined,
    };
    const result = await this.workers.layer(layer.source, job, layer.signal, layer.onBytes);
    if (layer.blobDigest !== undefined) checkDigest('layer', layer.blobDigest, result.blobDigest);
    if (layer.diffId !== undefined) checkDigest('unpacked layer', layer.diffId, result.diffId);
    for (const warning of result.warnings) this.logger.warn({ layer: result.diffId, warning }, 'layer was not kept in full');
    return { layer: this.adopt(directory, result, work), result };
  }

  private adopt(directory: string, result: LayerResult, work: Work): Layer {
    const { diffId, bytes, tarBytes, dependent } = result;
    return this.catalog.transaction(() => {
      const present = this.find(diffId);
      if (present === undefined) {
        // Without a row this can only be what a crash between moving and committing left.
        rmSync(this.paths.layer(diffId), { recursive: true, force: true });
        moveInto(directory, this.paths.layer(diffId));
        this.catalog.run(
          'INSERT INTO layers (diff_id, bytes, tar_bytes, dependent) VALUES (?, ?, ?, ?)',
          diffId,
          bytes,
          tarBytes,
          dependent ? 1 : 0,
        );
      }
      work.holdLayer(diffId);
      return present ?? { diffId, bytes, tarBytes, dependent };
    });
  }

  /** Call in a transaction. A row whose files a crash took is dropped when nothing refers to it. */
  private find(diffId: string): Layer | undefined {
    const row = this.catalog.get('SELECT bytes, tar_bytes, dependent FROM layers WHERE diff_id = ?', diffId);
    if (row === undefined) return undefined;
    if (!existsSync(this.paths.layerFile(diffId))) {
      this.catalog.run('DELETE FROM layers WHERE diff_id = ?', diffId);
      return undefined;
    }
    return {
      diffId,
      bytes: Number(row['bytes']),
      tarBytes: Number(row['tar_bytes']),
      dependent: row['dependent'] === 1,
    };
  }
}
