import { isBoxError, type RemovedImage } from '@a3s-box/core';
import type { Catalog } from './catalog.js';
import type { ImageLibrary } from './image-library.js';
import { removeImage } from './remove-image.js';
import type { StorePaths } from './store-paths.js';
import { dropDeadHolders } from './sweep.js';

interface Store {
  readonly catalog: Catalog;
  readonly paths: StorePaths;
  readonly images: ImageLibrary;
}

/**
 * Takes images away, those first that were used least recently, until what is left has no more than so many bytes.
 * @param keep ids of images that stay
 */
export function trimStore(store: Store, maxBytes: number, keep: readonly string[]): RemovedImage[] {
  const staying = new Set(keep);
  const removed: RemovedImage[] = [];
  for (;;) {
    const id = leastRecentlyUsed(store.catalog, maxBytes, staying);
    if (id === undefined) return removed;
    try {
      removed.push(removeImage(id, false, store));
    } catch (error) {
      // A box has it, or somebody removed it, since it was looked for.
      if (!isBoxError(error) || !['IMAGE_IN_USE', 'IMAGE_NOT_FOUND'].includes(error.code)) throw error;
      staying.add(id);
    }
  }
}

function leastRecentlyUsed(catalog: Catalog, maxBytes: number, staying: ReadonlySet<string>): string | undefined {
  const row = catalog.transaction(() => {
    dropDeadHolders(catalog);
    const used = catalog.get(
      `SELECT (SELECT coalesce(sum(bytes), 0) FROM layers) + (SELECT coalesce(sum(bytes), 0) FROM disks) AS bytes`,
    );
    if (Number(used?.['bytes']) <= maxBytes) return undefined;
    return catalog.get(
      `SELECT id FROM images WHERE id NOT IN (SELECT value FROM json_each(?))
       AND id NOT IN (SELECT image_id FROM held_disks) ORDER BY used, sequence LIMIT 1`,
      JSON.stringify([...staying]),
    );
  });
  return row === undefined ? undefined : String(row['id']);
}
