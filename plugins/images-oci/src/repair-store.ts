import { rmSync } from 'node:fs';
import type { StoreCheck, StoreProblem } from '@a3s-box/core';
import type { Catalog } from './catalog.js';
import type { Finding } from './check-store.js';
import type { StorePaths } from './store-paths.js';
import { dropDeadHolders, sweep } from './sweep.js';

interface Place {
  readonly catalog: Catalog;
  readonly paths: StorePaths;
}

/**
 * Takes away what is damaged, with the images that need it; they can be fetched again. What a box has or a process works with
 * stays.
 * @param repair whether to do that, and not only to tell of it
 */
export function repairStore(
  findings: readonly Finding[],
  place: Place,
  repair: boolean,
): Pick<StoreCheck, 'problems' | 'removed'> {
  const { catalog, paths } = place;
  const removed = new Set<string>();
  const problems = catalog.transaction(() => {
    dropDeadHolders(catalog);
    // Whose each is has to be seen before anything goes.
    const owned = findings.map((finding) => ({ finding, ids: imagesOf(finding, catalog) }));
    const named = owned.map(({ finding, ids }) => ({ finding, ids, images: ids.map((id) => nameOf(id, catalog)) }));
    return named.map(({ finding, ids, images }): StoreProblem => {
      const repaired = repair && isFree(finding, ids, catalog);
      if (repaired) {
        takeAway(finding, ids, place);
        if (finding.kind !== 'disk') for (const image of images) removed.add(image);
      }
      return { ...finding, images, repaired };
    });
  });
  if (removed.size > 0) sweep(catalog, paths);
  return { problems, removed: [...removed] };
}

function imagesOf({ kind, digest }: Finding, catalog: Catalog): string[] {
  const rows = {
    catalog: () => [],
    document: () => catalog.all('SELECT id FROM images WHERE id = ?1 OR manifest_digest = ?1', digest),
    layer: () => catalog.all('SELECT DISTINCT image_id AS id FROM image_layers WHERE diff_id = ?', digest),
    disk: () => catalog.all('SELECT id FROM images WHERE disk_key = ?', digest),
  }[kind]();
  return rows.map((row) => String(row['id']));
}

function nameOf(id: string, catalog: Catalog): string {
  const row = catalog.get('SELECT name FROM names WHERE image_id = ? ORDER BY name LIMIT 1', id);
  return row === undefined ? id : String(row['name']);
}

function isFree({ kind, digest }: Finding, ids: readonly string[], catalog: Catalog): boolean {
  if (kind === 'catalog') return false;
  if (kind === 'layer' && catalog.get('SELECT 1 FROM held_layers WHERE diff_id = ?', digest)) return false;
  if (kind === 'disk' && catalog.get('SELECT 1 FROM held_disks WHERE key = ?', digest)) return false;
  return ids.every((id) => catalog.get('SELECT 1 FROM held_disks WHERE image_id = ?', id) === undefined);
}

function takeAway({ kind, digest }: Finding, ids: readonly string[], { catalog, paths }: Place): void {
  if (kind !== 'disk') for (const id of ids) catalog.run('DELETE FROM images WHERE id = ?', id);
  const disks =
    kind === 'disk'
      ? [digest]
      : catalog.all('SELECT key FROM disk_layers WHERE diff_id = ?', digest).map((row) => String(row['key']));
  for (const key of disks) {
    catalog.run('DELETE FROM disks WHERE key = ?', key);
    rmSync(paths.disk(key), { recursive: true, force: true });
  }
  if (kind === 'document') rmSync(paths.blob(digest), { force: true });
  if (kind !== 'layer') return;
  catalog.run('DELETE FROM layers WHERE diff_id = ?', digest);
  rmSync(paths.layer(digest), { recursive: true, force: true });
}
