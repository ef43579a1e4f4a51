import { open } from 'node:fs/promises';
import { mergeLayers, type MergedLayers } from '@a3s-box/erofs';

/** What makes the merged metadata of an image from its layers. Plain data, so that it crosses to a worker. */
export interface MergeJob {
  /** EROFS files of the layers, lowest first. */
  readonly layers: readonly string[];
  /** The file to write; must not exist. */
  readonly target: string;
}

/**
 * Writes a merged file, durable when this returns; after an error it is the caller's to remove.
 * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL
 */
export async function mergeJob(job: MergeJob): Promise<MergedLayers> {
  await using file = await open(job.target, 'wx', 0o600);
  const merged = await mergeLayers(job.layers, file);
  await file.sync();
  return merged;
}
