import type { BoxExit, BoxMarks, RestingState } from '../box/box.js';
import type { Health } from '../box/health-check.js';
import type { BoxSpec, Sizing } from '../box/box-spec.js';
import { BoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { VmRecord } from '../ports/hypervisor.js';
import type { Image } from '../ports/image-store.js';
import type { EndpointRecord, PublishedPort } from '../ports/network.js';
import { StateDatabaseToken } from '../service-tokens.js';
import type { StateDatabase } from './state-database.js';

/** What it takes to find a running box again. */
export interface RunRecord {
  /** Nanoseconds since the Unix epoch. */
  readonly startedNs: bigint;
  readonly vm: VmRecord;
  /** Opens the next session with the guest's agent; base64. */
  readonly sessionKey: string;
  readonly acceleration: string;
  /** Whether the VM was cloned from a template. */
  readonly cloned?: boolean;
  /** Of the VM. Absent in records of version 0.1: that of the spec. */
  readonly sizing?: Sizing;
  /** Offsets in its log at which this run's output begins, decimal. Absent: 0. */
  readonly logBase?: { readonly stdout: string; readonly stderr: string };
  /** Absent without one. */
  readonly network?: NetworkRecord;
}

export interface NetworkRecord {
  readonly endpoint: EndpointRecord;
  /** Of the guest, with prefix length. */
  readonly addresses: readonly string[];
  /** With the host ports that were chosen. */
  readonly ports: readonly PublishedPort[];
}

/** A box as it is kept. Which of `startedNs`, `run` and `exit` are there follows from the state. */
export interface StoredBox {
  readonly id: string;
  readonly name: string;
  readonly state: 'created' | 'starting' | 'running' | 'stopping' | 'exited' | 'dead';
  readonly generation: number;
  /** Nanoseconds since the Unix epoch. */
  readonly createdNs: bigint;
  readonly spec: BoxSpec;
  readonly image: Image;
  /** Nanoseconds since the Unix epoch. */
  readonly startedNs?: bigint;
  readonly run?: RunRecord;
  readonly exit?: BoxExit;
  /** Of one that is starting: what it was, if it is not new. */
  readonly before?: RestingState;
  /** Absent in records of version 0.1: none. */
  readonly marks?: BoxMarks;
  /** Absent before its first probe, and without a health check. */
  readonly health?: Health;
}

/** The records of boxes. Calls belong into a transaction of {@link StateDatabase}. */
@injectable()
export class BoxTable {
  constructor(@inject(StateDatabaseToken) private readonly database: StateDatabase) {}

  /** @throws ALREADY_EXISTS when another box has its name */
  insert(box: StoredBox): void {
    this.#checkName(box);
    const { id, name, state, generation, createdNs, ...document } = box;
    this.database
      .statement('INSERT INTO boxes (id, name, state, generation, created_ns, document) VALUES (?, ?, ?, ?, ?, ?)')
      .run(id, name, state, generation, createdNs, encode(document));
  }

  /**
   * Replaces the record of the generation before.
   * @throws INTERNAL when that is not the one that is kept, ALREADY_EXISTS when another box has its name
   */
  update(box: StoredBox): void {
    this.#checkName(box);
    const { id, name, state, generation, createdNs: _unchanged, ...document } = box;
    const { changes } = this.database
      .statement('UPDATE boxes SET name = ?, state = ?, generation = ?, document = ? WHERE id = ? AND generation = ?')
      .run(name, state, generation, encode(document), id, generation - 1);
    if (changes !== 1n && changes !== 1) {
      throw new BoxError('INTERNAL', `box "${name}": its record is not of generation ${generation - 1}`);
    }
  }

  #checkName({ id, name }: StoredBox): void {
    if (this.database.statement('SELECT 1 FROM boxes WHERE name = ? AND id != ?').get(name, id)) {
      throw new BoxError('ALREADY_EXISTS', `box name "${name}" is in use`, { hint: 'choose another name' });
    }
  }

  /** What is recorded of a box. */
  stateOf(id: string): StoredBox['state'] | undefined {
    return this.database.statement('SELECT state FROM boxes WHERE id = ?').get(id)?.['state'] as
      StoredBox['state'] | undefined;
  }

  remove(id: string): void {
    this.database.statement('DELETE FROM boxes WHERE id = ?').run(id);
  }

  /** All boxes, oldest first. */
  list(): StoredBox[] {
    const rows = this.database
      .statement('SELECT id, name, state, generation, created_ns, document FROM boxes ORDER BY created_ns')
      .all();
    return rows.map((row) => ({
      id: row['id'] as string,
      name: row['name'] as string,
      state: row['state'] as StoredBox['state'],
      generation: Number(row['generation']),
      createdNs: row['created_ns'] as bigint,
      ...decode(row['document'] as string),
    }));
  }
}

type Document = Omit<StoredBox, 'id' | 'name' | 'state' | 'generation' | 'createdNs'>;

/** JSON has no integers of this size: times are kept as decimal strings, by their names. */
function encode(document: Document): string {
  return JSON.stringify(document, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

function decode(text: string): Document {
  return JSON.parse(text, (name, value: unknown) =>
    (name === 'startedNs' || name === 'timeNs') && typeof value === 'string' ? BigInt(value) : value,
  ) as Document;
}
