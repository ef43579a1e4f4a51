import { mkdir } from 'node:fs/promises';
import type { StorePaths } from './store-paths.js';

/** Makes the store's directories. Idempotent. */
export async function prepareDirectories(paths: StorePaths): Promise<void> {
  for (const directory of [paths.root, paths.blobs, paths.layers, paths.disks, paths.work]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
}
