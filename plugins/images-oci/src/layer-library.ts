import { existsSync, rmSync } from 'node:fs';
import type { Logger } from '@a3s-box/core';
import type { Catalog } from './catalog.js';
import { checkDigest } from './digest.js';
import type { LayerLimits, LayerResult } from './layer-job.js';
import type { LayerWorkers } from './layer-workers.js';
import type { StorePaths } from './store-paths.js';
import { moveInto } from './durable-files.js';
import type { Work } from './work.js';

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
  /** The archive, as it is or compressed with gzip or zstd. */
  readonly source: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** What is known about a layer beforehand. */
export interface ExpectedDigests {
  /** Of the source as it comes. */
  readonly blobDigest?: string;
  /** Of the archive, uncompressed. */
  readonly diffId?: string;
}

/** A layer that is made and not yet visible. */
export interface MadeLayer {
  readonly directory: string;
  readonly result: LayerResult;
}

/** What a store is made of. */
export interface StoreParts {
  readonly catalog: Catalog;
  readonly paths: StorePaths;
  readonly workers: LayerWorkers;
  readonly limits: LayerLimits;
  readonly logger: Logger;
}

/** The layers of a store. Each is kept once, under its diff id, and only after its digests were found right. */
export class LayerLibrary {
  private readonly catalog: Catalog;
  private readonly paths: StorePaths;

  constructor(private readonly parts: StoreParts) {
    this.catalog = parts.catalog;
    this.paths = parts.paths;
  }

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
  async add(layer: NewLayer, expected: ExpectedDigests, work: Work): Promise<Layer> {
    const protectedByDigest = expected.blobDigest !== undefined || expected.diffId !== undefined;
    return this.adopt(await this.make({ ...layer, requireEndMark: !protectedByDigest }, work), expected, work);
  }

  /**
   * Makes a layer's files in the work's directory, where nobody sees them.
   * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL, UNSUPPORTED, CANCELLED
   */
  async make(layer: NewLayer & { readonly requireEndMark: boolean }, work: Work): Promise<MadeLayer> {
    const directory = await work.room();
    const { source, signal, requireEndMark, onBytes } = layer;
    const result = await this.parts.workers.layer(
      source,
      { directory, limits: this.parts.limits, requireEndMark },
      signal,
      onBytes,
    );
    return { directory, result };
  }

  /** Makes a layer visible, if it is what was expected. @throws IMAGE_CORRUPT */
  adopt(made: MadeLayer, expected: ExpectedDigests, work: Work): Layer {
    const { result } = made;
    if (expected.blobDigest !== undefined) checkDigest('layer', expected.blobDigest, result.blobDigest);
    if (expected.diffId !== undefined) checkDigest('unpacked layer', expected.diffId, result.diffId);
    for (const warning of result.warnings)
      this.parts.logger.warn({ layer: result.diffId, warning }, 'layer was not kept in full');
    const { diffId, bytes, tarBytes, dependent } = result;
    return this.catalog.transaction(() => {
      const present = this.find(diffId);
      if (present === undefined) {
        // What is there without being known, or is known without being there, a crash left.
        rmSync(this.paths.layer(diffId), { recursive: true, force: true });
        moveInto(made.directory, this.paths.layer(diffId));
        this.catalog.run(
          `INSERT INTO layers (diff_id, bytes, tar_bytes, dependent) VALUES (?, ?, ?, ?)
           ON CONFLICT (diff_id) DO NOTHING`,
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

  /** A layer that is known and whose file is there. */
  private find(diffId: string): Layer | undefined {
    const row = this.catalog.get('SELECT bytes, tar_bytes, dependent FROM layers WHERE diff_id = ?', diffId);
    if (row === undefined || !existsSync(this.paths.layerFile(diffId))) return undefined;
    return {
      diffId,
      bytes: Number(row['bytes']),
      tarBytes: Number(row['tar_bytes']),
      dependent: row['dependent'] === 1,
    };
  }
}
