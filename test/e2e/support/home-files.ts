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
  return processOf(home, id, 'vmm');
}

/** The process that serves a box its volumes. */
export function fileServerOf(home: string, id: string): ProcessIdentity | undefined {
  return processOf(home, id, 'server');
}

function processOf(home: string, id: string, kind: 'vmm' | 'server'): ProcessIdentity | undefined {
  using database = new DatabaseSync(join(home, 'state.db'), { readOnly: true });
  const row = database.prepare('SELECT resource FROM ledger WHERE kind = ? AND box = ?').get(kind, id);
  return row && (JSON.parse(row['resource'] as string) as { process: ProcessIdentity }).process;
}

/** Process ids of VMMs that no box and no spare has: those in which the files of boxes are reached that do not run. */
export function vmmsOfNoBox(home: string): number[] {
  using database = new DatabaseSync(join(home, 'state.db'), { readOnly: true });
  const others = "SELECT id FROM boxes UNION SELECT box FROM ledger WHERE kind = 'spare'";
  const sql = `SELECT resource FROM ledger WHERE kind = 'vmm' AND box NOT LIKE 'template:%' AND box NOT IN (${others})`;
  const rows = database.prepare(sql).all();
  return rows.map(({ resource }) => (JSON.parse(resource as string) as { process: ProcessIdentity }).process.pid);
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

/** What is held of the image store beside the disks of what is made ahead, and its work. */
export function heldImages(home: string): unknown[] {
  using database = new DatabaseSync(join(home, 'plugins/@a3s-box+images-oci/catalog.db'), { readOnly: true });
  const spares = sparesIn(home).length;
  const disks = database.prepare("SELECT * FROM holders WHERE kind = 'disk'").all();
  const work = database.prepare("SELECT * FROM holders WHERE kind <> 'disk'").all();
  return [...disks.slice(spares), ...work];
}
