import type { ProcessIdentity } from '../ports/hypervisor.js';
import { inject, injectable } from '../kernel/container.js';
import { StateDatabaseToken } from '../service-tokens.js';
import type { StateDatabase } from './state-database.js';

/** A resource outside the database that belongs to a box. Written down before it is made, taken out once it is gone. */
export type Resource =
  /** Absolute path of a directory with all that is in it. */
  | { readonly kind: 'directory'; readonly path: string }
  /** A VMM's process. */
  | { readonly kind: 'vmm'; readonly process: ProcessIdentity }
  /** A process that serves the VM; it ends with it. */
  | { readonly kind: 'server'; readonly process: ProcessIdentity }
  /** An end of a network. What serves it ends with the VM, and with the supervisor before there is one. */
  | { readonly kind: 'endpoint'; readonly network: string }
  /** Says that the rest was made ahead: there is no box of this id yet. */
  | { readonly kind: 'spare' }
  /** A process in the guest beside the main one. */
  | { readonly kind: 'exec'; readonly id: string; readonly untold?: boolean };

export interface LedgerEntry {
  readonly sequence: bigint;
  /** Full id of the box. */
  readonly box: string;
  readonly resource: Resource;
}

/**
 * What there is on this host for each box. Calls belong into a transaction of {@link StateDatabase}, mostly together
 * with a change of the box's record.
 */
@injectable()
export class Ledger {
  constructor(@inject(StateDatabaseToken) private readonly database: StateDatabase) {}

  /** @returns names the entry for {@link remove} */
  add(box: string, resource: Resource): bigint {
    const { kind, ...rest } = resource;
    const statement = this.database.statement('INSERT INTO ledger (box, kind, resource) VALUES (?, ?, ?)');
    return BigInt(statement.run(box, kind, JSON.stringify(rest)).lastInsertRowid);
  }

  /** Takes entries out: one, all of a kind, or all of a box. */
  remove(box: string, which: { readonly sequence?: bigint; readonly kind?: Resource['kind'] } = {}): void {
    const { sequence, kind } = which;
    if (sequence !== undefined) this.database.statement('DELETE FROM ledger WHERE sequence = ?').run(sequence);
    else if (kind) this.database.statement('DELETE FROM ledger WHERE box = ? AND kind = ?').run(box, kind);
    else this.database.statement('DELETE FROM ledger WHERE box = ?').run(box);
  }

  /** Entries in the order in which they were made. @param box absent: of all boxes */
  list(box?: string): LedgerEntry[] {
    const columns = 'SELECT sequence, box, kind, resource FROM ledger';
    const rows =
      box === undefined
        ? this.database.statement(`${columns} ORDER BY sequence`).all()
        : this.database.statement(`${columns} WHERE box = ? ORDER BY sequence`).all(box);
    return rows.map(({ sequence, box: owner, kind, resource }) => ({
      sequence: sequence as bigint,
      box: owner as string,
      resource: { kind, ...(JSON.parse(resource as string) as object) } as Resource,
    }));
  }
}
