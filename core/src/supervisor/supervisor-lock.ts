import { DatabaseSync } from 'node:sqlite';

/**
 * Held by the one supervisor of a home. The lock is the operating system's, taken through SQLite on every system in the
 * same way, so it is gone with its process whatever ends that.
 */
export class SupervisorLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @param path absolute path of the lock's file @returns undefined when another process holds it */
  static tryAcquire(path: string): SupervisorLock | undefined {
    const database = new DatabaseSync(path);
    try {
      database.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
      return new SupervisorLock(database);
    } catch (error) {
      database.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
