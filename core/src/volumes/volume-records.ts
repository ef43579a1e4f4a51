import { inject, injectable } from '../kernel/container.js';
import { BoxError } from '../errors/box-error.js';
import { boundedLabels } from '../events/event.js';
import { EventLog } from '../events/event-log.js';
import { StateDatabaseToken } from '../service-tokens.js';
import { BoxTable } from '../state/box-table.js';
import { Ledger } from '../state/ledger.js';
import type { StateDatabase } from '../state/state-database.js';
import { HomeLayout } from '../store/home-layout.js';
import type { VolumeMount } from './volume-mount.js';
import { VolumeTable, type StoredVolume } from './volume-table.js';

/** What owns a volume's entry in the ledger while it is being removed. */
export function volumeOwner(name: string): string {
  return `volume:${name}`;
}

/** Writes down what volumes there are. {@link VolumeRecords.release} belongs into a transaction, the others are one. */
@injectable()
export class VolumeRecords {
  constructor(
    @inject(StateDatabaseToken) private readonly database: StateDatabase,
    private readonly table: VolumeTable,
    private readonly boxes: BoxTable,
    private readonly ledger: Ledger,
    private readonly home: HomeLayout,
    private readonly events: EventLog,
  ) {}

  /** @returns it, or what there was of that name @throws CONFLICT while files of an earlier one are being removed */
  add(volume: StoredVolume): StoredVolume {
    return this.database.transaction(() => {
      const known = this.table.find(volume.name);
      if (!known) this.#begin(volume);
      return known ?? volume;
    });
  }

  /** Has a record for each volume that mounts name. Within a transaction. @throws CONFLICT as {@link add} */
  ensure(mounts: readonly VolumeMount[], createdNs: bigint): void {
    for (const { kind, source, anonymous } of mounts) {
      if (kind !== 'volume' || this.table.find(source)) continue;
      this.#begin({ name: source, createdNs, labels: {}, ...(anonymous === true && { anonymous }) });
    }
  }

  /** Writes down what has come of filling a volume. */
  noteFilling(name: string, filling: 'begun' | 'done'): void {
    this.database.transaction(() => {
      const volume = this.table.find(name);
      if (volume) this.table.put({ ...volume, filling });
    });
  }

  /** @throws NOT_FOUND */
  get(name: string): StoredVolume {
    const volume = this.table.find(name);
    if (volume) return volume;
    throw new BoxError('NOT_FOUND', `no such volume: ${name}`);
  }

  list(): StoredVolume[] {
    return this.table.list();
  }

  /** Ids of the boxes that have each volume, whether they run or not. */
  uses(): Map<string, string[]> {
    const uses = new Map<string, string[]>();
    for (const { id, spec } of this.boxes.list()) {
      for (const { kind, source } of spec.volumes ?? []) {
        if (kind === 'volume') uses.set(source, [...(uses.get(source) ?? []), id]);
      }
    }
    return uses;
  }

  /**
   * Takes a volume out; its files are the ledger's from then on, under {@link volumeOwner}.
   * @throws NOT_FOUND @throws CONFLICT while a box has it
   */
  remove(name: string): void {
    this.database.transaction(() => {
      this.get(name);
      const users = this.uses().get(name) ?? [];
      if (users.length > 0) {
        throw new BoxError('CONFLICT', `volume ${name} is in use - [${users.join(', ')}]`, {
          hint: 'remove these boxes first',
        });
      }
      this.#takeOut(name);
    });
  }

  /** Takes out what was made for a box and no other has. Within the transaction that takes the box out. @returns their names */
  release(mounts: readonly VolumeMount[]): string[] {
    const uses = this.uses();
    const own = mounts.filter(({ kind, anonymous, source }) => {
      return (
        kind === 'volume' && anonymous === true && !uses.has(source) && this.table.find(source)?.anonymous === true
      );
    });
    for (const { source } of own) this.#takeOut(source);
    return own.map(({ source }) => source);
  }

  /** What the ledger has of a name would be freed with the files of the new one in it. */
  #begin(volume: StoredVolume): void {
    const { name } = volume;
    if (this.ledger.list(volumeOwner(name)).length > 0) {
      throw new BoxError('CONFLICT', `volume ${name} is being removed`, {
        hint: "try again in a moment; what could not be removed is in the home's supervisor.log",
      });
    }
    this.table.put(volume);
    this.#tell(name, 'create', volume.labels);
  }

  #tell(name: string, action: 'create' | 'destroy', labels: StoredVolume['labels'] = {}): void {
    const attributes = { ...boundedLabels(labels), driver: 'local' };
    this.events.note({ type: 'volume', action, actor: name, attributes });
  }

  #takeOut(name: string): void {
    this.#tell(name, 'destroy', this.table.find(name)?.labels);
    this.table.remove(name);
    this.ledger.add(volumeOwner(name), { kind: 'directory', path: this.home.volume(name) });
  }
}
