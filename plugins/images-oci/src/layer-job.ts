import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxError } from '@a3s-box/core';
import { writeLayer } from '@a3s-box/erofs';
import { FrameWriter } from './archive-frames.js';
import { decompress } from './decompress.js';
import { diskFailure } from './disk-failure.js';
import { FRAMES_FILE, LAYER_FILE } from './store-paths.js';

/** Bounds of what one archive may make of itself. */
export interface LayerLimits {
  /** Bytes of the archive once decompressed, and of the file system. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** Plain data, so that it crosses to a worker. */
export interface LayerJob {
  /** An empty directory for the layer's files. */
  readonly directory: string;
  readonly limits: LayerLimits;
  /** Whether the archive is protected by no digest and must carry its end mark. */
  readonly requireEndMark: boolean;
}

export interface LayerResult {
  /** Digest of the archive, decompressed. */
  readonly diffId: string;
  /** Digest and size of the source as it came. */
  readonly blobDigest: string;
  readonly blobBytes: number;
  readonly tarBytes: number;
  /** Bytes of the EROFS file. */
  readonly bytes: number;
  readonly dependent: boolean;
  readonly warnings: readonly string[];
}

/**
 * Makes a layer's files from its archive, and digests of all that went through. Both files are durable when it
 * returns; after an error they are the caller's to remove.
 * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL, UNSUPPORTED
 */
export async function runLayerJob(source: AsyncIterable<Buffer>, job: LayerJob): Promise<LayerResult> {
  const blob = new Meter(Infinity);
  const tar = new Meter(job.limits.maxBytes);
  let compressed = false;
  const archive = decompress(blob.measure(source), (compression) => {
    compressed = compression !== 'none';
    // What comes in is what goes on: one digest does for both.
    if (!compressed) tar.hashing = false;
  });
  const recorder = new FrameWriter(join(job.directory, FRAMES_FILE));
  try {
    await using file = await open(join(job.directory, LAYER_FILE), 'wx', 0o600);
    const layer = await writeLayer(tar.measure(archive), file, {
      maxBytes: job.limits.maxBytes,
      maxEntries: job.limits.maxEntries,
      requireEndMark: job.requireEndMark,
      recorder,
    });
    recorder.finish();
    await file.sync();
    const blobDigest = blob.digest();
    return {
      diffId: compressed ? tar.digest() : blobDigest,
      blobDigest,
      blobBytes: blob.bytes,
      tarBytes: tar.bytes,
      bytes: layer.bytes,
      dependent: layer.dependent,
      warnings: layer.warnings,
    };
  } catch (error) {
    throw diskFailure(error);
  } finally {
    recorder.close();
  }
}

class Meter {
  bytes = 0;
  hashing = true;
  private readonly hash: Hash = createHash('sha256');

  constructor(private readonly maxBytes: number) {}

  async *measure(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.bytes += chunk.length;
      if (this.bytes > this.maxBytes) {
        throw new BoxError('LIMIT_EXCEEDED', `layer is larger than ${this.maxBytes} bytes`, {
          hint: 'raise the setting maxLayerBytes if you trust the source of this image',
        });
      }
      if (this.hashing) this.hash.update(chunk);
      yield chunk;
    }
  }

  digest(): string {
    return `sha256:${this.hash.digest('hex')}`;
  }
}
