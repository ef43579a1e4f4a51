import { openProcess } from '@a3s-box/native';
import { inject, injectable } from '../kernel/container.js';
import type { ProcessIdentity } from '../ports/hypervisor.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken, StateDatabaseToken } from '../service-tokens.js';
import { Ledger, type LedgerEntry } from './ledger.js';
import { removeTree } from './remove-tree.js';
import type { StateDatabase } from './state-database.js';

const SIGKILL = 9;

/** Frees what the ledger says a box has on this host. */
@injectable()
export class Reaper {
  constructor(
    @inject(StateDatabaseToken) private readonly database: StateDatabase,
    private readonly ledger: Ledger,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /**
   * Frees everything of a box, last made first, and takes it out of the ledger. What is gone already is fine. What cannot
   * be freed is logged and stays in the ledger for the next time.
   *
   * @param keep path of a directory to leave, with its entry
   * @returns whether nothing else is left
   */
  async reap(box: string, keep?: string): Promise<boolean> {
    const entries = this.ledger
      .list(box)
      .filter(({ resource }) => resource.kind !== 'directory' || resource.path !== keep)
      .reverse();
    const freed: bigint[] = [];
    for (const entry of entries) {
      try {
        await free(entry);
        freed.push(entry.sequence);
      } catch (error) {
        this.logger.error({ box, resource: entry.resource, error }, 'a resource of a box could not be freed');
      }
    }
    // At the end, because on a full disk it is the freeing that makes room for this.
    this.database.transaction(() => {
      for (const sequence of freed) this.ledger.remove(box, { sequence });
    });
    return freed.length === entries.length;
  }

  /** Frees everything of boxes that there are not. @param exists whether there is a box of that id */
  async reapUnowned(exists: (box: string) => boolean): Promise<void> {
    const owners = new Set(this.ledger.list().map(({ box }) => box));
    for (const box of owners) if (!exists(box)) await this.reap(box);
  }
}

async function free({ resource }: LedgerEntry): Promise<void> {
  switch (resource.kind) {
    case 'directory':
      return removeTree(resource.path);
    case 'vmm':
    case 'server':
      return endProcess(resource.process);
    case 'endpoint':
    case 'exec':
    case 'spare':
      // The first two end with the VM: the gateway at the end of its connection, the process with its kernel.
      return;
  }
}

/** Kills a process, if it is still the one that was meant, and waits for its end. */
async function endProcess({ pid, startTime }: ProcessIdentity): Promise<void> {
  const handle = openProcess(pid, startTime);
  if (handle === undefined) return;
  try {
    const gone = new Promise<void>((resolve) => handle.watch(resolve));
    handle.signal(SIGKILL);
    await gone;
  } finally {
    handle.close();
  }
}
