/** What a home has of boxes, as its ledger and its directories tell. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ProcessIdentity } from '@a3s-box/core';

/** Full ids of machines that were made ahead of their boxes. */
export function sparesIn(home: string): string[] {
  using database = new DatabaseSync(join(home, 'state.db'), { readOnly: true });
  const rows = database.prepare("SELECT box FROM ledger WHERE kind = 'spare'").all();
  return rows.map(({ box }) => box as string);
}

/** The process in which a box's VM runs, once it is in the ledger. */
export function vmmOf(home: string, id: string): ProcessIdentity | undefined {
  using database = new DatabaseSync(join(home, 'state.db'), { readOnly: true });
  const row = database.prepare("SELECT resource FROM ledger WHERE kind = 'vmm' AND box = ?").get(id);
  return row && (JSON.parse(row['resource'] as string) as { process: ProcessIdentity }).process;
}

/** Paths below the home that boxes have or had. Templates and spares are made beside boxes, and are none of theirs. */
export async function filesOfBoxes(home: string): Promise<string[]> {
  const found: string[] = [];
  for (const directory of ['run', 'boxes']) {
    const names = await readdir(join(home, directory)).catch(() => []);
    found.push(...names.filter((name) => /^[0-9a-f]{12,}$/.test(name)).map((name) => join(directory, name)));
  }
  const spares = sparesIn(home);
  return found.filter((path) => !spares.some((id) => id.startsWith(path.replace(/^.*\//, ''))));
}
