import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Catalog } from './catalog.js';
import { syncIndex } from './layout-index.js';
import { isRunning } from './process-owner.js';
import type { StorePaths } from './store-paths.js';

/**
 * Clears away what nothing needs: holds of processes that are gone, layers and disks that no image and no hold refers
 * to, and files that the catalog does not know. Safe at any time, also while other processes work.
 * @returns digests of the layers that went
 */
export function sweep(catalog: Catalog, paths: StorePaths): string[] {
  return catalog.transaction(() => sweepNow(catalog, paths));
}

function sweepNow(catalog: Catalog, paths: StorePaths): string[] {
  dropDeadHolders(catalog);
  sweepDisks(catalog, paths);
  const layers = sweepLayers(catalog, paths);
  sweepStrays(catalog, paths);
  syncIndex(catalog, paths);
  return layers;
}

/** Ends the holds of processes that are gone. Call in a transaction. */
export function dropDeadHolders(catalog: Catalog): void {
  for (const row of catalog.all('SELECT token, pid, born FROM holders')) {
    const owner = { pid: Number(row['pid']), born: String(row['born']) };
    if (!isRunning(owner)) catalog.run('DELETE FROM holders WHERE token = ?', row['token'] as string);
  }
}

function sweepDisks(catalog: Catalog, paths: StorePaths): void {
  const gone = catalog.all(
    `SELECT key FROM disks WHERE key NOT IN (SELECT disk_key FROM images)
     AND key NOT IN (SELECT key FROM held_disks WHERE key IS NOT NULL)`,
  );
  for (const row of gone) {
    const key = String(row['key']);
    rmSync(paths.disk(key), { recursive: true, force: true });
    catalog.run('DELETE FROM disks WHERE key = ?', key);
  }
}

function sweepLayers(catalog: Catalog, paths: StorePaths): string[] {
  const gone = catalog
    .all(
      `SELECT diff_id FROM layers WHERE diff_id NOT IN (SELECT diff_id FROM image_layers)
       AND diff_id NOT IN (SELECT diff_id FROM disk_layers) AND diff_id NOT IN (SELECT diff_id FROM held_layers)`,
    )
    .map((row) => String(row['diff_id']));
  for (const diffId of gone) {
    rmSync(paths.layer(diffId), { recursive: true, force: true });
    catalog.run('DELETE FROM layers WHERE diff_id = ?', diffId);
  }
  return gone;
}

function sweepStrays(catalog: Catalog, paths: StorePaths): void {
  const known = (sql: string): Set<string> =>
    new Set(catalog.all(sql).map((row) => String(row['key']).replace(/^sha256:/, '')));
  removeUnknown(paths.work, known('SELECT token AS key FROM holders'));
  removeUnknown(paths.layers, known('SELECT diff_id AS key FROM layers'));
  removeUnknown(paths.disks, known('SELECT key FROM disks'));
  removeUnknown(paths.blobs, known('SELECT id AS key FROM images UNION SELECT manifest_digest FROM images'));
}

function removeUnknown(directory: string, known: ReadonlySet<string>): void {
  for (const name of readdirSync(directory)) {
    if (!known.has(name)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}
