import { DatabaseSync } from 'node:sqlite';

/** Until it is disposed of no commit of this process finds room on the disk, as SQLite tells of it. */
export function fullDatabases(): Disposable {
  const { prototype } = DatabaseSync;
  const { exec } = prototype;
  prototype.exec = function (this: DatabaseSync, sql: string): void {
    if (sql !== 'COMMIT') return exec.call(this, sql);
    throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
  };
  return { [Symbol.dispose]: () => void (prototype.exec = exec) };
}
