import { inject, injectable } from '../kernel/container.js';
import { StateDatabaseToken } from '../service-tokens.js';
import type { StateDatabase } from './state-database.js';

/** Small things that a home remembers, by name. */
@injectable()
export class Facts {
  constructor(@inject(StateDatabaseToken) private readonly database: StateDatabase) {}

  get(name: string): string | undefined {
    return this.database.statement('SELECT value FROM facts WHERE name = ?').get(name)?.['value'] as string | undefined;
  }

  set(name: string, value: string): void {
    this.database.transaction(() =>
      this.database.statement('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(name, value),
    );
  }
}
