import { DatabaseSync, type StatementSync, type SQLInputValue } from 'node:sqlite';
import { BoxError, isBoxError } from '@a3s-box/core';
import { diskFailure } from './disk-failure.js';

/** SQLite's result code of what another connection keeps from happening. */
const BUSY = 5;

/** What brings the database from one version to the next, the first from nothing. */
const VERSIONS = [
  `
CREATE TABLE layers (
  diff_id TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL,
  tar_bytes INTEGER NOT NULL,
  dependent INTEGER NOT NULL
) STRICT;
CREATE TABLE images (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  manifest_digest TEXT NOT NULL,
  manifest_type TEXT NOT NULL,
  manifest_bytes INTEGER NOT NULL,
  disk_key TEXT NOT NULL,
  os TEXT NOT NULL,
  architecture TEXT NOT NULL,
  variant TEXT,
  created TEXT
) STRICT;
CREATE TABLE image_layers (
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  diff_id TEXT NOT NULL REFERENCES layers(diff_id),
  PRIMARY KEY (image_id, position)
) STRICT;
CREATE INDEX image_layers_by_layer ON image_layers (diff_id);
CREATE TABLE names (
  name TEXT PRIMARY KEY,
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
) STRICT;
CREATE TABLE digests (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  PRIMARY KEY (repository, digest)
) STRICT;
CREATE INDEX images_by_disk ON images (disk_key);
CREATE TABLE disks (
  key TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE disk_layers (
  key TEXT NOT NULL REFERENCES disks(key) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  diff_id TEXT NOT NULL REFERENCES layers(diff_id),
  PRIMARY KEY (key, position)
) STRICT;
CREATE TABLE holders (
  token TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  pid INTEGER NOT NULL,
  born TEXT NOT NULL
) STRICT;
CREATE TABLE held_layers (
  token TEXT NOT NULL REFERENCES holders(token) ON DELETE CASCADE,
  diff_id TEXT NOT NULL,
  PRIMARY KEY (token, diff_id)
) STRICT;
CREATE TABLE held_disks (
  token TEXT NOT NULL REFERENCES holders(token) ON DELETE CASCADE,
  image_id TEXT NOT NULL,
  key TEXT,
  PRIMARY KEY (token, image_id)
) STRICT;
`,
  // Where layers were seen in registries; rules of image policies that an image was found to fulfil in a repository.
  `
CREATE TABLE layer_places (
  diff_id TEXT NOT NULL REFERENCES layers(diff_id) ON DELETE CASCADE,
  registry TEXT NOT NULL,
  path TEXT NOT NULL,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (diff_id, registry, path, digest)
) STRICT;
CREATE TABLE admissions (
  image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  repository TEXT NOT NULL,
  rule TEXT NOT NULL,
  PRIMARY KEY (image_id, repository, rule)
) STRICT;
`,
  // When an image was made or a box got it, milliseconds since the epoch.
  `ALTER TABLE images ADD COLUMN used INTEGER NOT NULL DEFAULT 0;`,
];

/** Does what can be left to a later time. @returns undefined when the disk is full */
export function unlessFull<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isBoxError(error) && error.code === 'DISK_FULL') return undefined;
    throw error;
  }
}

export type Row = Readonly<Record<string, string | number | null>>;

/**
 * The store's database: which images, names and layers there are, and which processes hold what. It alone says what is
 * visible. Several processes use it; every change is one immediate transaction, in which files are put in place and
 * taken away as well, so that no process sees one without the other.
 */
export class Catalog implements Disposable {
  private readonly statements = new Map<string, StatementSync>();
  /** Holds that have ended, and for which the disk had no room yet to say so. */
  private readonly ended = new Set<string>();

  private constructor(private readonly db: DatabaseSync) {}

  /** Opens the database, and makes it when there is none. @throws HOME_UNUSABLE when it is of a newer version */
  static open(path: string): Catalog {
    const db = new DatabaseSync(path, { timeout: 10_000 });
    const catalog = new Catalog(db);
    useWriteAheadLog(db);
    db.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    try {
      if (catalog.version() !== VERSIONS.length) catalog.transaction(() => catalog.prepareSchema());
      return catalog;
    } catch (error) {
      catalog[Symbol.dispose]();
      throw error;
    }
  }

  private version(): number {
    return Number((this.get('PRAGMA user_version') as Row)['user_version']);
  }

  private prepareSchema(): void {
    const version = this.version();
    if (version > VERSIONS.length) {
      throw new BoxError(
        'HOME_UNUSABLE',
        `image store has the format ${version}, where ${VERSIONS.length} is understood`,
        {
          hint: 'use the version of a3s-box that made it, or another A3S_BOX_HOME',
        },
      );
    }
    for (const change of VERSIONS.slice(version)) this.db.exec(change);
    this.db.exec(`PRAGMA user_version = ${VERSIONS.length}`);
  }

  /**
   * {@link transaction} for what need not outlive a power failure, since the processes that it tells of do not either.
   * Nothing waits for the disk; a later transaction of the other kind makes it durable too.
   */
  passingTransaction<T>(change: () => T): T {
    this.db.exec('PRAGMA synchronous = NORMAL');
    try {
      return this.transaction(change);
    } finally {
      this.db.exec('PRAGMA synchronous = FULL');
    }
  }

  /** Runs a change alone; undone when it throws, durable when it returns. Not to be nested. @throws DISK_FULL */
  transaction<T>(change: () => T): T {
    const ended = [...this.ended];
    try {
      this.db.exec('BEGIN IMMEDIATE');
      try {
        for (const token of ended) this.run('DELETE FROM holders WHERE token = ?', token);
        const result = change();
        this.db.exec('COMMIT');
        for (const token of ended) this.ended.delete(token);
        return result;
      } catch (error) {
        if (this.db.isTransaction) this.db.exec('ROLLBACK');
        throw error;
      }
    } catch (error) {
      throw diskFailure(error);
    }
  }

  /** Ends a hold. On a full disk that is written down with the next change that it has room for; no call fails for it. */
  endHold(token: string): void {
    this.ended.add(token);
    unlessFull(() => this.passingTransaction(() => undefined));
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.prepare(sql).all(...values) as Row[];
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.prepare(sql).get(...values) as Row | undefined;
  }

  /** @returns the number of changed rows */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.prepare(sql).run(...values).changes);
  }

  private prepare(sql: string): StatementSync {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }

  [Symbol.dispose](): void {
    if (!this.db.isOpen) return;
    this.statements.clear();
    this.db.close();
  }
}

/**
 * For the one change that SQLite makes only where nobody writes at that moment: it waits for no one, whatever the time limit
 * says. Another process that opens a new store at the same time makes that same change.
 */
function useWriteAheadLog(db: DatabaseSync): void {
  for (;;) {
    try {
      return db.exec('PRAGMA journal_mode = WAL');
    } catch (error) {
      if ((error as { errcode?: unknown }).errcode !== BUSY) throw error;
    }
    // Waits for who writes now, up to the time limit.
    db.exec('BEGIN IMMEDIATE; COMMIT');
  }
}
