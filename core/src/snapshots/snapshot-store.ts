import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxError } from '../errors/box-error.js';
import type { NewEvent } from '../events/event.js';
import { EventLog } from '../events/event-log.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken, StateDatabaseToken } from '../service-tokens.js';
import { Ledger } from '../state/ledger.js';
import { Reaper } from '../state/reaper.js';
import type { StateDatabase } from '../state/state-database.js';
import { HomeLayout } from '../store/home-layout.js';
import type { BoxSpec } from '../box/box-spec.js';

/** Version of `snapshot.json` (docs/compatibility.md). */
const VERSION = 1;
const DOCUMENT = 'snapshot.json';
const DISK = 'scratch.img';
const ID = /^[0-9a-f]{64}$/;

/** A box as it was at a moment. */
export interface Snapshot {
  /** 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly box: { readonly id: string; readonly name: string };
  readonly imageId: string;
  /** Without the box's name. */
  readonly spec: BoxSpec;
  /** Nanoseconds since the Unix epoch. */
  readonly createdNs: bigint;
  /** Whether the box ran. */
  readonly running: boolean;
  /** Whether its disk shared the box's parts when it was made. */
  readonly shared: boolean;
}

/** What of a snapshot is known when it is begun. */
export type SnapshotDraft = Omit<Snapshot, 'shared'>;

/** Snapshots below the home, each in a directory named by its id. */
@injectable()
export class SnapshotStore {
  constructor(
    private readonly home: HomeLayout,
    @inject(StateDatabaseToken) private readonly database: StateDatabase,
    private readonly ledger: Ledger,
    private readonly reaper: Reaper,
    private readonly events: EventLog,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /**
   * Makes a snapshot. Failed, or cut off by this process's death: nothing is left.
   * @param copy puts the disk at a path, or nothing for a box that has none, and says whether it is shared
   */
  async make(draft: SnapshotDraft, copy: (disk: string) => Promise<boolean>): Promise<Snapshot> {
    const owner = ownerOf(draft.id);
    const path = this.home.snapshot(draft.id);
    this.database.transaction(() => this.ledger.add(owner, { kind: 'directory', path }));
    try {
      await mkdir(path, { mode: 0o700, recursive: true });
      const snapshot = { ...draft, shared: await copy(join(path, DISK)) };
      await writeDocument(join(path, DOCUMENT), snapshot);
      this.database.transaction(() => {
        this.ledger.remove(owner);
        this.events.note(tellOf(snapshot.id, 'create', { name: snapshot.name, container: snapshot.box.id }));
      });
      return snapshot;
    } catch (error) {
      await this.reaper.reap(owner);
      throw error;
    }
  }

  /** Newest first. One that is damaged is logged and left out. */
  async list(): Promise<Snapshot[]> {
    const names = await readdir(this.home.snapshots).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    });
    const found = await Promise.all(names.filter((name) => ID.test(name)).map((id) => this.#read(id)));
    return found
      .filter((snapshot) => snapshot !== undefined)
      .sort((one, other) => Number(other.createdNs - one.createdNs));
  }

  /** By name, id, or unique prefix of the id. @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
  async find(reference: string): Promise<Snapshot> {
    const all = await this.list();
    const exact = all.find(({ id, name }) => id === reference || name === reference);
    if (exact) return exact;
    const matches = /^[0-9a-f]+$/.test(reference) ? all.filter(({ id }) => id.startsWith(reference)) : [];
    if (matches.length > 1) {
      throw new BoxError('AMBIGUOUS_REFERENCE', `"${reference}" stands for ${matches.length} snapshots`, {
        hint: 'give more digits of the id, or the name',
      });
    }
    if (matches[0]) return matches[0];
    throw new BoxError('NOT_FOUND', `there is no snapshot "${reference}"`, {
      hint: "'a3s-box snapshot ls' lists them",
    });
  }

  /** Absolute path of its disk; nothing is there where its box had none. */
  disk(id: string): string {
    return join(this.home.snapshot(id), DISK);
  }

  /** What it takes on the disk, bytes; what is shared counts as well. */
  async size(id: string): Promise<number> {
    const found = await stat(this.disk(id)).catch(() => undefined);
    return found ? found.blocks * 512 : 0;
  }

  async remove(id: string): Promise<void> {
    // From here on it is gone, whatever happens to this process.
    this.database.transaction(() => {
      this.ledger.add(ownerOf(id), { kind: 'directory', path: this.home.snapshot(id) });
      this.events.note(tellOf(id, 'destroy'));
    });
    await rm(join(this.home.snapshot(id), DOCUMENT), { force: true });
    await this.reaper.reap(ownerOf(id));
  }

  async #read(id: string): Promise<Snapshot | undefined> {
    try {
      const text = await readFile(join(this.home.snapshot(id), DOCUMENT), 'utf8');
      return parse(text, id);
    } catch (error) {
      // One that is being made, or was not made to its end, has no document.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      this.logger.error({ snapshot: id, error }, 'a snapshot is damaged');
      return undefined;
    }
  }
}

function ownerOf(id: string): string {
  return `snapshot:${id}`;
}

async function writeDocument(path: string, { createdNs, ...snapshot }: Snapshot): Promise<void> {
  const fresh = `${path}.new`;
  {
    await using file = await open(fresh, 'wx', 0o600);
    await file.writeFile(JSON.stringify({ version: VERSION, ...snapshot, createdNs: String(createdNs) }));
    await file.sync();
  }
  await rename(fresh, path);
}

function parse(text: string, id: string): Snapshot {
  const value = JSON.parse(text) as Snapshot & { readonly version: number; readonly createdNs: unknown };
  if (value.version !== VERSION || value.id !== id) {
    throw new BoxError('STATE_CORRUPT', `snapshot ${id} has a document of version ${value.version}`);
  }
  const { version: _version, createdNs, ...snapshot } = value;
  return { ...snapshot, createdNs: BigInt(createdNs as unknown as string) };
}

function tellOf(actor: string, action: 'create' | 'destroy', attributes: NewEvent['attributes'] = {}): NewEvent {
  return { type: 'snapshot', action, actor, attributes };
}
