import { inject, injectable } from '../kernel/container.js';
import { StateDatabaseToken } from '../service-tokens.js';
import type { StateDatabase } from '../state/state-database.js';

/** A volume as it is kept. Its directory, or its disk, is made when it is first needed. */
export interface StoredVolume {
  readonly name: string;
  /** Nanoseconds since the Unix epoch. */
  readonly createdNs: bigint;
  readonly labels: Readonly<Record<string, string>>;
  /** Size of the disk that it is, bytes; absent for a directory. */
  readonly sizeBytes?: number;
  /** It was made for a box, and can go with it. */
  readonly anonymous?: boolean;
  /**
   * What has come of copying into it what an image has there: `begun` by a box that has not run yet, `done`. Absent: nothing
   * was tried.
   */
  readonly filling?: 'begun' | 'done';
}

/** The records of volumes. Calls belong into a transaction of {@link StateDatabase}. */
@injectable()
export class VolumeTable {
  constructor(@inject(StateDatabaseToken) private readonly database: StateDatabase) {}

  find(name: string): StoredVolume | undefined {
    const row = this.database.statement('SELECT name, created_ns, document FROM volumes WHERE name = ?').get(name);
    return row && volumeOf(row);
  }

  /** By name. */
  list(): StoredVolume[] {
    return this.database.statement('SELECT name, created_ns, document FROM volumes ORDER BY name').all().map(volumeOf);
  }

  /** Inserts or replaces. */
  put({ name, createdNs, ...document }: StoredVolume): void {
    this.database
      .statement(
        'INSERT INTO volumes (name, created_ns, document) VALUES (?, ?, ?) ' +
          'ON CONFLICT (name) DO UPDATE SET document = excluded.document',
      )
      .run(name, createdNs, JSON.stringify(document));
  }

  remove(name: string): void {
    this.database.statement('DELETE FROM volumes WHERE name = ?').run(name);
  }
}

function volumeOf(row: Readonly<Record<string, unknown>>): StoredVolume {
  return {
    name: row['name'] as string,
    createdNs: row['created_ns'] as bigint,
    ...(JSON.parse(row['document'] as string) as Omit<StoredVolume, 'name' | 'createdNs'>),
  };
}
