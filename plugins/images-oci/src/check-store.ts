import { readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isBoxError, type CheckOptions, type StoreCheck, type StoreProblem } from '@a3s-box/core';
import { replayArchive } from './archive-frames.js';
import type { Catalog } from './catalog.js';
import { digestOf } from './digest.js';
import type { LayerLibrary, StoreParts } from './layer-library.js';
import { repairStore } from './repair-store.js';
import { isSameFile } from './same-file.js';
import { LAYER_FILE, MERGED_FILE, type StorePaths } from './store-paths.js';
import { Work } from './work.js';

export interface CheckContext extends Pick<StoreParts, 'catalog' | 'paths' | 'workers'> {
  readonly layers: LayerLibrary;
}

/** A problem before anything was done about it. */
export type Finding = Omit<StoreProblem, 'images' | 'repaired'>;

/** Errors that say what is wrong with content, and not with reading it. */
const DAMAGE: readonly string[] = ['IMAGE_CORRUPT', 'UNSUPPORTED', 'ENOENT'];

/**
 * Verifies everything in a store: documents and layers against their digests, each layer's file system and each merged one
 * against what is made of the same content again.
 * @throws DISK_FULL, CANCELLED
 */
export async function checkStore(context: CheckContext, options: CheckOptions): Promise<StoreCheck> {
  const { catalog, paths } = context;
  const { signal, onProgress, repair = false } = options;
  const findings = [...catalogFindings(catalog), ...documentFindings(catalog, paths)];
  const layers = catalog.all('SELECT diff_id FROM layers ORDER BY diff_id').map((row) => String(row['diff_id']));
  const disks = catalog.all('SELECT key FROM disks ORDER BY key').map((row) => String(row['key']));
  {
    await using work = await Work.begin(catalog, paths);
    for (const diffId of layers) {
      onProgress?.({ item: diffId.slice(7, 19), phase: 'reading', done: 0 });
      const reason = await damage(() => layerFault(diffId, context, work, signal), signal);
      if (reason !== undefined) findings.push({ kind: 'layer', digest: diffId, reason });
      else onProgress?.({ item: diffId.slice(7, 19), phase: 'done', done: 0 });
    }
    const damaged = new Set(findings.map(({ digest }) => digest));
    for (const key of disks) {
      const reason = await damage(() => diskFault(key, context, { work, signal, damaged }), signal);
      if (reason !== undefined) findings.push({ kind: 'disk', digest: key, reason });
    }
  }
  return { layers: layers.length, ...repairStore(findings, { catalog, paths }, repair) };
}

function catalogFindings(catalog: Catalog): Finding[] {
  return catalog
    .all('PRAGMA integrity_check')
    .map((row) => String(row['integrity_check']))
    .filter((text) => text !== 'ok')
    .map((reason) => ({ kind: 'catalog', digest: '', reason }));
}

function documentFindings(catalog: Catalog, paths: StorePaths): Finding[] {
  const digests = catalog.all('SELECT id AS digest FROM images UNION SELECT manifest_digest FROM images');
  return digests.flatMap((row): Finding[] => {
    const digest = String(row['digest']);
    const reason = documentFault(paths.blob(digest), digest);
    return reason === undefined ? [] : [{ kind: 'document', digest, reason }];
  });
}

function documentFault(path: string, digest: string): string | undefined {
  try {
    const actual = digestOf(readFileSync(path));
    return actual === digest ? undefined : `its content has the digest ${actual}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'it is missing';
    throw error;
  }
}

/** What is wrong, be it found or thrown. */
async function damage(look: () => Promise<string | undefined>, signal: AbortSignal): Promise<string | undefined> {
  signal.throwIfAborted();
  try {
    return await look();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (signal.aborted || code === undefined || !DAMAGE.includes(code)) throw error;
    return isBoxError(error) ? message : 'a file of it is missing';
  }
}

async function layerFault(
  diffId: string,
  { catalog, paths, layers }: CheckContext,
  work: Work,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (layers.hold(diffId, work) === undefined) {
    // Removed meanwhile, or known without its file.
    const known = catalog.get('SELECT 1 FROM layers WHERE diff_id = ?', diffId) !== undefined;
    return known ? 'its file is missing' : undefined;
  }
  await using file = await open(paths.layerFile(diffId));
  const source = replayArchive(paths.framesFile(diffId), file);
  const { directory, result } = await layers.make({ source, signal, requireEndMark: false }, work);
  try {
    if (result.diffId !== diffId) return `its content has the digest ${result.diffId}`;
    const same = await isSameFile(join(directory, LAYER_FILE), paths.layerFile(diffId));
    return same ? undefined : 'its file system is not what its content makes';
  } finally {
    await rm(directory, { recursive: true });
  }
}

interface DiskCheck {
  readonly work: Work;
  readonly signal: AbortSignal;
  /** Digests of what is damaged; a disk of such layers cannot be made again. */
  readonly damaged: ReadonlySet<string>;
}

async function diskFault(
  key: string,
  { catalog, paths, workers }: CheckContext,
  { work, signal, damaged }: DiskCheck,
): Promise<string | undefined> {
  const diffIds = catalog.transaction(() => {
    const rows = catalog.all(
      `SELECT diff_id FROM image_layers WHERE image_id = (SELECT id FROM images WHERE disk_key = ? LIMIT 1) ORDER BY position`,
      key,
    );
    const all = rows.map((row) => String(row['diff_id']));
    for (const diffId of all) work.holdLayer(diffId);
    return all;
  });
  // Of an image that is gone, which a box still has; or its layers tell already.
  if (diffIds.length === 0 || diffIds.some((it) => damaged.has(it))) return undefined;
  const directory = await work.room();
  try {
    const target = join(directory, MERGED_FILE);
    await workers.merge({ layers: diffIds.map((diffId) => paths.layerFile(diffId)), target }, signal);
    const same = await isSameFile(target, join(paths.disk(key), MERGED_FILE));
    return same ? undefined : 'it is not what its layers make';
  } finally {
    await rm(directory, { recursive: true });
  }
}
