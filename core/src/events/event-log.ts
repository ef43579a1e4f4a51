import { EventEmitter, once } from 'node:events';
import { BoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken, StateDatabaseToken } from '../service-tokens.js';
import type { StateDatabase } from '../state/state-database.js';
import { eventTest, type EventFilter } from './event-filter.js';
import type { EventType, KeptEvent, NewEvent } from './event.js';

/** So many events are kept, the newest. */
export const KEPT_EVENTS = 10_000n;
/** Old events are removed so many at a time, which costs less than one by one. */
const REMOVED_AT_ONCE = 128n;
const PAGE = 256;
const NS_PER_MS = 1_000_000n;
/** The longest time that a timer takes, milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const COLUMNS = 'SELECT sequence, time_ns, type, action, actor, attributes FROM events';

export interface ReadEventsOptions {
  /** Nanoseconds since the Unix epoch. Absent: from now on, or from the first one where `untilNs` is over. */
  readonly sinceNs?: bigint | undefined;
  /** Included. Absent: for ever. */
  readonly untilNs?: bigint | undefined;
  readonly filters?: readonly EventFilter[];
  readonly signal: AbortSignal;
}

/**
 * What has happened, in the home's database. Readers have a place in it and are woken by commits, so that one that is slow
 * holds nothing: it reads on when it can.
 */
@injectable()
export class EventLog {
  readonly #commits = new EventEmitter<{ commit: [] }>().setMaxListeners(0);
  readonly #wake = () => void this.#commits.emit('commit');

  constructor(
    @inject(StateDatabaseToken) private readonly database: StateDatabase,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** Writes an event down, within the transaction of what it tells of. */
  note({ type, action, actor, attributes }: NewEvent): void {
    const { lastInsertRowid } = this.database
      .statement('INSERT INTO events (time_ns, type, action, actor, attributes) VALUES (?, ?, ?, ?, ?)')
      .run(BigInt(Date.now()) * NS_PER_MS, type, action, actor, JSON.stringify(attributes));
    const sequence = BigInt(lastInsertRowid);
    if (sequence % REMOVED_AT_ONCE === 0n && sequence > KEPT_EVENTS) {
      this.database.statement('DELETE FROM events WHERE sequence <= ?').run(sequence - KEPT_EVENTS);
    }
    this.database.afterCommit(this.#wake);
  }

  /** Writes down what happened outside of the database. Never throws: a full disk keeps nobody from stopping a box. */
  tell(event: NewEvent): void {
    try {
      this.database.transaction(() => this.note(event));
    } catch (error) {
      this.logger.warn({ event, error }, 'an event could not be written down');
    }
  }

  /**
   * Events in their order, in pages that are not empty.
   * @throws INVALID_ARGUMENT for a filter that there is not, LIMIT_EXCEEDED for a reader so slow that events it had not
   * read were removed
   */
  async *read(options: ReadEventsOptions): AsyncGenerator<KeptEvent[], void, void> {
    const { sinceNs, untilNs, filters = [], signal } = options;
    const passes = eventTest(filters);
    const over = () => untilNs !== undefined && nowNs() > untilNs;
    const history = sinceNs !== undefined || over();
    let last = history ? this.#before(sinceNs ?? 0n) : this.newest();
    using end = deadline(untilNs);
    const ended = AbortSignal.any([signal, end.signal]);
    for (;;) {
      signal.throwIfAborted();
      // First the time: what comes between the two is found by the next look.
      const isLast = over() || end.signal.aborted;
      const page = this.#page(last);
      if (page[0] && page[0].sequence > last + 1n) throw tooSlow(page[0].sequence - last - 1n);
      last = page.at(-1)?.sequence ?? last;
      const found = page.filter(
        (event) =>
          event.timeNs >= (sinceNs ?? 0n) && (untilNs === undefined || event.timeNs <= untilNs) && passes(event),
      );
      if (found.length > 0) yield found;
      if (page.length === PAGE) continue;
      if (isLast) return;
      await this.#next(last, ended);
    }
  }

  /** Sequence of the newest event; 0 when there was none. */
  newest(): bigint {
    const row = this.database.statement("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get();
    return (row?.['seq'] as bigint | undefined) ?? 0n;
  }

  /** The sequence before the first event of a time or later. */
  #before(sinceNs: bigint): bigint {
    const first = this.database
      .statement('SELECT min(sequence) AS first FROM events WHERE time_ns >= ?')
      .get(sinceNs)?.['first'] as bigint | null | undefined;
    return typeof first === 'bigint' ? first - 1n : this.newest();
  }

  #page(after: bigint): KeptEvent[] {
    const rows = this.database.statement(`${COLUMNS} WHERE sequence > ? ORDER BY sequence LIMIT ${PAGE}`).all(after);
    return rows.map((row) => ({
      sequence: row['sequence'] as bigint,
      timeNs: row['time_ns'] as bigint,
      type: row['type'] as EventType,
      action: row['action'] as string,
      actor: row['actor'] as string,
      attributes: JSON.parse(row['attributes'] as string) as Record<string, string>,
    }));
  }

  /** Waits for an event after one, or for the signal. */
  async #next(last: bigint, signal: AbortSignal): Promise<void> {
    // Commits and reads are of one thread: nothing comes between the look and the listener.
    if (this.newest() > last || signal.aborted) return;
    try {
      await once(this.#commits, 'commit', { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** Fires when a time is over. */
function deadline(untilNs: bigint | undefined): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const set = () => {
    if (untilNs === undefined) return;
    const restMs = Number((untilNs - nowNs()) / NS_PER_MS) + 1;
    if (restMs <= 0) return controller.abort();
    timer = setTimeout(set, Math.min(restMs, LONGEST_TIMER_MS));
  };
  set();
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}

function nowNs(): bigint {
  return BigInt(Date.now()) * NS_PER_MS;
}

function tooSlow(missed: bigint): BoxError {
  return new BoxError('LIMIT_EXCEEDED', `${missed} events were removed before they were read`, {
    hint: 'read faster, or ask for fewer events by a filter',
  });
}
