import { chmodSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { BoxError } from '../errors/box-error.js';
import { ADDITIONS, SCHEMA_VERSION, SCHEMA } from './schema.js';

/** How long a writer waits for another process, milliseconds: SQLite's own default is not to wait at all. */
const BUSY_TIMEOUT_MS = 5000;
/** Result codes of SQLite (sqlite.org/rescode.html), the low byte. */
const BUSY = 5;
const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;
/** A volume with less than this cannot take a page and its index, bytes. */
const LEAST_FREE = 64 * 1024;

/**
 * The home's database: SQLite in WAL mode, written by the supervisor alone and opened read-only by others. A commit is
 * safe from the death of this process; from that of the machine once the log was synced, which is not waited for.
 */
export class StateDatabase implements Disposable {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  readonly #afterCommit = new Set<() => void>();

  private constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /**
   * Opens the database, and makes it where there is none.
   *
   * @param path absolute path; its directory exists
   * @throws STATE_CORRUPT when it is damaged; it is left as it is
   * @throws HOME_UNUSABLE when a newer version made it
   * @throws DISK_FULL
   */
  static open(path: string): StateDatabase {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readBigInts: true });
      chmodSync(path, 0o600);
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
      const check = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
      if (check !== 'ok') throw corrupt(path, String(check));
      applySchema(database, path);
      database.exec(ADDITIONS);
      return new StateDatabase(database, path);
    } catch (error) {
      database?.close();
      throw translate(error, path);
    }
  }

  /**
   * Runs `work` in one transaction: all of it or nothing, also when this process dies within.
   * @throws DISK_FULL, STATE_CORRUPT, and what `work` throws
   */
  transaction<T>(work: () => T): T {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.#database.exec('COMMIT');
        for (const callback of this.#takeCallbacks()) callback();
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    } catch (error) {
      this.#takeCallbacks();
      throw translate(error, this.#path);
    }
  }

  /** Within a transaction: is called once after its commit, and not at all without one. It must not throw. */
  afterCommit(callback: () => void): void {
    this.#afterCommit.add(callback);
  }

  #takeCallbacks(): (() => void)[] {
    const callbacks = [...this.#afterCommit];
    this.#afterCommit.clear();
    return callbacks;
  }

  /** The statement for some SQL, prepared once. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }

  /** Idempotent. */
  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }
}

function applySchema(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version === SCHEMA_VERSION) return;
  if (version > SCHEMA_VERSION) {
    throw new BoxError('HOME_UNUSABLE', `the state ${path} has version ${version}, made by a newer a3s-box`, {
      hint: `this one knows version ${SCHEMA_VERSION}: update it, or set A3S_BOX_HOME to another directory`,
    });
  }
  database.exec(`BEGIN IMMEDIATE; ${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

function corrupt(path: string, reason: string): BoxError {
  return new BoxError('STATE_CORRUPT', `the state ${path} is damaged: ${reason}`, {
    hint:
      'it was left as it is: restore it from a backup, or move it away (with its -wal and -shm files) to begin anew; ' +
      'boxes that still run are not known then',
  });
}

function translate(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
  const code = error.errcode & 0xff;
  if (code === CORRUPT || code === NOT_A_DATABASE) return corrupt(path, error.message);
  if (code === FULL || (code === IO_ERROR && isFull(path))) {
    return new BoxError('DISK_FULL', `the disk of ${dirname(path)} is full: the state cannot be written`, {
      hint: 'free some space',
      cause: error,
    });
  }
  if (code === BUSY)
    return new BoxError('CONFLICT', `the state ${path} is in use by another process`, { cause: error });
  return error;
}

function isFull(path: string): boolean {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize < LEAST_FREE;
}
