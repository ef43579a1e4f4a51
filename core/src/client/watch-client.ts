import {
  AuditRequest,
  EventsRequest,
  StatsRequest,
  WatchingService,
  type AuditBatch,
  type AuditRecord as AuditMessage,
  type BoxFigures,
  type BoxStats as BoxStatsMessage,
  type EventBatch,
  type StatsSample,
} from '../gen/a3s/box/supervisor/v1/watching.js';
import type { CallOptions } from './call-options.js';
import { boxStateFrom } from './record-conversion.js';
import type { BoxState } from './records.js';
import { peerError, type SupervisorConnection } from './supervisor-connection.js';

/** Something that happened. */
export interface BoxEvent {
  /** Counts up, over supervisors. */
  readonly sequence: bigint;
  /** Nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
  /** `container`, `image`, `network`, `snapshot` or `volume`. */
  readonly type: string;
  /** For example `create`, `die`, `exec_create: ls`, `health_status: healthy`; docs/watching.md has them all. */
  readonly action: string;
  readonly actor: {
    /** Full id of a box, image or snapshot; name of a volume or network. */
    readonly id: string;
    readonly attributes: Readonly<Record<string, string>>;
  };
}

export interface EventsOptions extends CallOptions {
  /** From then on, nanoseconds since the Unix epoch. Default: what happens from now on. */
  readonly sinceNs?: bigint;
  /** The end, included. One that is over gives what is kept up to it. Default: none. */
  readonly untilNs?: bigint;
  /** Of one name any has to hold, but every label; all names have to. */
  readonly filters?: readonly { readonly name: string; readonly value: string }[];
}

/** What a box uses. Counters count from its start. */
export interface BoxUsage {
  readonly timeNs: bigint;
  /** Of all its CPUs together. */
  readonly cpuNs: bigint;
  /** Of one CPU, since the sample before this one; absent in the first. */
  readonly cpuPercent?: number;
  /** Of its processes, without what the guest's kernel can give up of files at once. */
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  /** What its VMM takes of the host's memory, with its part of what it shares. Absent: not known. */
  readonly hostMemoryBytes?: number;
  readonly vcpus: number;
  readonly processes: number;
  readonly networkReceivedBytes: number;
  readonly networkSentBytes: number;
  readonly blockReadBytes: number;
  readonly blockWrittenBytes: number;
  /** Whether the host counted what went over the network, so that the guest has no say in it. */
  readonly networkByHost: boolean;
  /** The same for the disks. */
  readonly blockByHost: boolean;
}

export interface BoxStats {
  readonly id: string;
  readonly name: string;
  readonly state: BoxState;
  /** Absent for a box that does not run, and one whose guest does not answer at the moment. */
  readonly usage?: BoxUsage;
}

export interface StatsOptions extends CallOptions {
  /** Names, ids or unique prefixes of ids. Default: all boxes that run. */
  readonly boxes?: readonly string[];
  /** Without `boxes`: also those that do not run. Default false. */
  readonly all?: boolean;
  /** Between two samples, milliseconds, at least 100. Default: 1000. */
  readonly intervalMs?: number;
}

/** Who asked for what. */
export interface AuditRecord {
  readonly timeNs: bigint;
  /** Names the call, which has one record when it begins and one when it ends. */
  readonly call: string;
  /** Of the client; absent where its socket does not tell. */
  readonly uid?: number;
  readonly pid?: number;
  /** For example `Boxes.Exec`. */
  readonly operation: string;
  /** As the client named it; may be empty. */
  readonly subject: string;
  /** Full id of the box, where there is one. */
  readonly box?: string;
  /** What was asked for, without values of variables. */
  readonly details: Readonly<Record<string, unknown>>;
  /** `begun`, `ok` or the code of the error. */
  readonly outcome: string;
}

export interface AuditOptions extends CallOptions {
  /** From then on, nanoseconds since the Unix epoch. */
  readonly sinceNs?: bigint;
  /** Up to then, nanoseconds since the Unix epoch. */
  readonly untilNs?: bigint;
}

/** What happens in a home, and what is used. Errors as of `BoxClient`. */
export class WatchClient {
  readonly #connection: SupervisorConnection;

  /** @param connection stays the caller's */
  constructor(connection: SupervisorConnection) {
    this.#connection = connection;
  }

  /**
   * What happened, oldest first, and what happens.
   * @throws INVALID_ARGUMENT for a filter that there is not, LIMIT_EXCEEDED for a reader so slow that events it had not
   * read were removed
   */
  async *events({ signal, sinceNs, untilNs, filters = [] }: EventsOptions = {}): AsyncGenerator<BoxEvent, void, void> {
    const request = EventsRequest.create({
      filters: [...filters],
      ...(sinceNs !== undefined && { sinceNs }),
      ...(untilNs !== undefined && { untilNs }),
    });
    const call = this.#connection.serverStream(WatchingService.events, request, signal);
    for await (const { events } of messagesOf<EventBatch>(call, signal)) {
      for (const { sequence, timeNs, type, action, actor, attributes } of events) {
        yield { sequence, timeNs, type, action, actor: { id: actor, attributes } };
      }
    }
  }

  /** What boxes use: one sample at once, and one after each interval. @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
  async *stats(options: StatsOptions = {}): AsyncGenerator<readonly BoxStats[], void, void> {
    const { boxes = [], all = false, intervalMs = 1000, signal } = options;
    const request = StatsRequest.create({ boxes: [...boxes], all, intervalMs });
    const call = this.#connection.serverStream(WatchingService.stats, request, signal);
    let before = new Map<string, BoxFigures>();
    for await (const sample of messagesOf<StatsSample>(call, signal)) {
      const now = new Map<string, BoxFigures>();
      for (const { id, usage } of sample.boxes) if (usage) now.set(id, usage);
      const last = before;
      yield sample.boxes.map((one) => statsFrom(one, last.get(one.id)));
      before = now;
    }
  }

  /** What was written down of calls that change something, and of every exec. Oldest first. */
  async *audit({ sinceNs = 0n, untilNs = 0n, signal }: AuditOptions = {}): AsyncGenerator<AuditRecord, void, void> {
    const request = AuditRequest.create({ sinceNs, untilNs });
    const call = this.#connection.serverStream(WatchingService.audit, request, signal);
    for await (const { records } of messagesOf<AuditBatch>(call, signal)) yield* records.map(auditFrom);
  }

  /** Where metrics are served; undefined: nowhere. */
  async metrics({ signal }: CallOptions = {}): Promise<string | undefined> {
    return (await this.#connection.call(WatchingService.metrics, {}, signal)).address || undefined;
  }

  /**
   * Serves metrics from now on, also under the next supervisors; or no more.
   * @param address `unix:/absolute/path`, `127.0.0.1:PORT` or `[::1]:PORT`; undefined: nowhere
   * @returns where they are served, with the port that was chosen for 0
   * @throws INVALID_ARGUMENT for another address, PORT_IN_USE
   */
  async serveMetrics(address: string | undefined, { signal }: CallOptions = {}): Promise<string | undefined> {
    const request = { address: address ?? '' };
    return (await this.#connection.call(WatchingService.setMetrics, request, signal)).address || undefined;
  }
}

interface ResponseCall {
  cancel(): void;
}

async function* messagesOf<T>(call: ResponseCall, signal: AbortSignal | undefined): AsyncGenerator<T, void, void> {
  try {
    for await (const message of call as unknown as AsyncIterable<T>) yield message;
  } catch (error) {
    throw peerError(error, signal);
  } finally {
    call.cancel();
  }
}

function statsFrom({ id, name, state, usage }: BoxStatsMessage, before: BoxFigures | undefined): BoxStats {
  return { id, name, state: boxStateFrom(state), ...(usage && { usage: usageFrom(usage, before) }) };
}

function usageFrom(figures: BoxFigures, before: BoxFigures | undefined): BoxUsage {
  const { timeNs, cpuNs, hostMemoryBytes, vcpus } = figures;
  // Of another run the counters began anew.
  const same = before !== undefined && timeNs > before.timeNs && cpuNs >= before.cpuNs;
  return {
    timeNs,
    cpuNs,
    ...(same && { cpuPercent: (Number(cpuNs - before.cpuNs) / Number(timeNs - before.timeNs)) * 100 }),
    memoryBytes: Number(figures.memoryBytes),
    memoryLimitBytes: Number(figures.memoryLimitBytes),
    ...(hostMemoryBytes > 0n && { hostMemoryBytes: Number(hostMemoryBytes) }),
    vcpus,
    processes: Number(figures.processes),
    networkReceivedBytes: Number(figures.networkReceivedBytes),
    networkSentBytes: Number(figures.networkSentBytes),
    blockReadBytes: Number(figures.blockReadBytes),
    blockWrittenBytes: Number(figures.blockWrittenBytes),
    networkByHost: figures.networkByHost,
    blockByHost: figures.blockByHost,
  };
}

function auditFrom({ uid, pid, box, details, ...record }: AuditMessage): AuditRecord {
  return {
    ...record,
    ...(uid !== undefined && { uid }),
    ...(pid !== undefined && { pid }),
    ...(box !== '' && { box }),
    details: details === '' ? {} : (JSON.parse(details) as Record<string, unknown>),
  };
}
