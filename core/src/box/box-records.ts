import { EventLog } from '../events/event-log.js';
import { inject, injectable } from '../kernel/container.js';
import type { ProcessIdentity } from '../ports/hypervisor.js';
import { StateDatabaseToken } from '../service-tokens.js';
import type { NewEvent } from '../events/event.js';
import { BoxTable, type StoredBox } from '../state/box-table.js';
import { Ledger, type LedgerEntry, type Resource } from '../state/ledger.js';
import type { StateDatabase } from '../state/state-database.js';
import { VolumeRecords } from '../volumes/volume-records.js';
import type { Box, BoxChange, BoxExit, BoxMarks, BoxState } from './box.js';
import { changeEvents, endEvents, stateEvents, tellOf } from './box-events.js';

type RecordedState = Exclude<BoxState, { kind: 'paused' }>;

interface EnterOptions {
  /** What it will have from then on. */
  readonly resources?: readonly Resource[];
  readonly marks?: BoxMarks;
}

/**
 * Writes down what boxes are and have, and with it what has happened. Every method is one transaction; an object changes
 * after its commit only.
 */
@injectable()
export class BoxRecords {
  constructor(
    @inject(StateDatabaseToken) private readonly database: StateDatabase,
    private readonly table: BoxTable,
    private readonly ledger: Ledger,
    private readonly volumes: VolumeRecords,
    private readonly events: EventLog,
  ) {}

  /** @throws ALREADY_EXISTS when the name is in use */
  insert(box: Box, state: RecordedState, resources: readonly Resource[] = []): void {
    const generation = 1;
    this.database.transaction(() => {
      this.table.insert(box.stored(state, generation));
      this.volumes.ensure(box.spec.volumes ?? [], box.createdNs);
      this.events.note(tellOf(box, 'create'));
      this.ledger.remove(box.id, { kind: 'spare' });
      for (const resource of resources) this.ledger.add(box.id, resource);
    });
    box.generation = generation;
    box.state = state;
  }

  /** Takes the box to its next state. */
  enter(box: Box, state: RecordedState, { resources = [], marks = box.marks }: EnterOptions = {}): void {
    const generation = box.generation + 1;
    this.database.transaction(() => {
      for (const event of stateEvents(box, this.table.stateOf(box.id), { state, marks })) this.events.note(event);
      this.table.update(box.stored(state, generation, { marks }));
      for (const resource of resources) this.ledger.add(box.id, resource);
    });
    box.generation = generation;
    box.marks = marks;
    box.state = state;
    if (state.kind !== 'starting') box.asked = undefined;
  }

  /** Writes down what has changed of a box beside its state. @throws ALREADY_EXISTS for a name that is in use */
  amend(box: Box, change: BoxChange): void {
    const generation = box.generation + 1;
    this.database.transaction(() => {
      this.table.update(box.stored(box.state, generation, change));
      for (const event of changeEvents(box, change)) this.events.note(event);
    });
    Object.assign(box, change, { generation });
  }

  /** The box's VMM, in place of one that was written down before. */
  noteVmm(boxId: string, process: ProcessIdentity): void {
    this.database.transaction(() => {
      this.ledger.remove(boxId, { kind: 'vmm' });
      this.ledger.add(boxId, { kind: 'vmm', process });
    });
  }

  /** The process that serves the box's files, in place of one that was written down before. */
  noteServer(boxId: string, process: ProcessIdentity): void {
    this.database.transaction(() => {
      this.ledger.remove(boxId, { kind: 'server' });
      this.ledger.add(boxId, { kind: 'server', process });
    });
  }

  /** What was made ahead for a box that there is not yet, and may never be. */
  noteSpare(boxId: string, resources: readonly Resource[]): void {
    this.database.transaction(() => {
      this.ledger.add(boxId, { kind: 'spare' });
      for (const resource of resources) this.ledger.add(boxId, resource);
    });
  }

  /** @param event told with it @returns names the entry for {@link strike} */
  note(box: Pick<Box, 'id'>, resource: Resource, event?: NewEvent): bigint {
    return this.database.transaction(() => {
      if (event) this.events.note(event);
      return this.ledger.add(box.id, resource);
    });
  }

  /** @param event told with it */
  strike(box: Box, sequence: bigint, event?: NewEvent): void {
    this.database.transaction(() => {
      if (event) this.events.note(event);
      this.ledger.remove(box.id, { sequence });
    });
  }

  /** Tells of what no record changes for. Never throws. */
  tell(event: NewEvent): void {
    this.events.tell(event);
  }

  /**
   * Takes the record out. What was not freed of the box stays in the ledger.
   * @param exit of the run that it goes with, where there was one
   * @returns names of volumes that go with it: the ledger has them, under `volumeOwner`
   */
  forget(box: Box, exit?: BoxExit): readonly string[] {
    return this.database.transaction(() => {
      for (const event of endEvents(box, this.table.stateOf(box.id), exit)) this.events.note(event);
      this.table.remove(box.id);
      this.events.note(tellOf(box, 'destroy'));
      return box.volumesGoToo ? this.volumes.release(box.spec.volumes ?? []) : [];
    });
  }

  list(): StoredBox[] {
    return this.table.list();
  }

  resources(box: Box): LedgerEntry[] {
    return this.ledger.list(box.id);
  }
}
