import { BoxError, type RemovedImage } from '@a3s-box/core';
import { unlessFull, type Catalog } from './catalog.js';
import type { ImageLibrary } from './image-library.js';
import type { StorePaths } from './store-paths.js';
import { dropDeadHolders, sweep } from './sweep.js';

/**
 * Takes a name away, or by digest or id all names; with the last name goes the image, and what only it needed.
 * @throws IMAGE_NOT_FOUND, IMAGE_IN_USE, INVALID_REFERENCE, AMBIGUOUS_REFERENCE
 */
export function removeImage(
  reference: string,
  force: boolean,
  { catalog, paths, images }: { catalog: Catalog; paths: StorePaths; images: ImageLibrary },
): RemovedImage {
  const { untagged, deleted } = catalog.transaction(() => {
    dropDeadHolders(catalog);
    const id = images.resolve(reference);
    const name = images.nameMeant(reference);
    const names = images.names(id);
    if (name !== undefined && names.length > 1) {
      catalog.run('DELETE FROM names WHERE name = ?', name);
      return { untagged: [name], deleted: [] };
    }
    if (!force && catalog.get('SELECT 1 FROM held_disks WHERE image_id = ?', id) !== undefined) {
      throw new BoxError('IMAGE_IN_USE', `image ${reference} is in use by a box`, {
        hint: 'remove the box first, or force the removal',
      });
    }
    catalog.run('DELETE FROM images WHERE id = ?', id);
    return { untagged: names, deleted: [id] };
  });
  // After the image is gone for good: one that stays has its files.
  return { untagged, deleted: [...deleted, ...(unlessFull(() => sweep(catalog, paths)) ?? [])] };
}
