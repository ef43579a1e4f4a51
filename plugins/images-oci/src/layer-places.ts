import { unlessFull, type Catalog, type Row } from './catalog.js';

/** A layer as a registry has it. */
export interface LayerBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A repository, by the registry that really has it. */
export interface Repository {
  readonly registry: string;
  readonly path: string;
}

/** So many places of a layer are looked at, the newest first. */
const MOST = 50;

/**
 * Where layers have been seen, and as what: so that they need not be compressed and sent there again. Only what was
 * checked to be the layer is written down. It may have gone from there since.
 */
export class LayerPlaces {
  constructor(private readonly catalog: Catalog) {}

  /** The newest first. */
  of(diffId: string): readonly (LayerBlob & Repository)[] {
    return this.catalog
      .all(
        `SELECT registry, path, media_type, digest, size FROM layer_places
         WHERE diff_id = ? ORDER BY rowid DESC LIMIT ${MOST}`,
        diffId,
      )
      .map((row) => placeOf(row));
  }

  /** Unless the disk is full: it can be found out again. @param diffId of a layer that is held */
  add(diffId: string, { registry, path }: Repository, { mediaType, digest, size }: LayerBlob): void {
    const sql = `INSERT OR REPLACE INTO layer_places (diff_id, registry, path, digest, media_type, size)
                 VALUES (?, ?, ?, ?, ?, ?)`;
    unlessFull(() =>
      this.catalog.passingTransaction(() => this.catalog.run(sql, diffId, registry, path, digest, mediaType, size)),
    );
  }
}

function placeOf(row: Row): LayerBlob & Repository {
  return {
    registry: String(row['registry']),
    path: String(row['path']),
    mediaType: String(row['media_type']),
    digest: String(row['digest']),
    size: Number(row['size']),
  };
}
