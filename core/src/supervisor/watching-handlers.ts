import type { ServerWritableStream } from '@grpc/grpc-js';
import { AuditLog, timeOf, type AuditEntry } from '../audit/audit-log.js';
import { EventLog } from '../events/event-log.js';
import type { KeptEvent } from '../events/event.js';
import {
  AuditRecord,
  BoxFigures,
  BoxStats,
  Event,
  type AuditBatch,
  type AuditRequest,
  type EventBatch,
  type EventsRequest,
  type StatsRequest,
  type StatsSample,
  type WatchingServer,
} from '../gen/a3s/box/supervisor/v1/watching.js';
import { inject, injectable } from '../kernel/container.js';
import { MetricsServer } from '../metrics/metrics-server.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { BoxSampler, type Sample } from '../stats/box-sampler.js';
import { answerEach, unaryHandler } from './grpc-handlers.js';
import { stateOf } from './messages.js';

/** The Watching service of the supervisor protocol. */
@injectable()
export class WatchingHandlers {
  constructor(
    private readonly events: EventLog,
    private readonly sampler: BoxSampler,
    private readonly audit: AuditLog,
    private readonly metrics: MetricsServer,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  handlers(): WatchingServer {
    return {
      events: (call) => void this.#events(call),
      stats: (call) => void this.#stats(call),
      audit: (call) => void this.#audit(call),
      metrics: unaryHandler(this.logger, () => ({ address: this.metrics.address })),
      setMetrics: unaryHandler(this.logger, async ({ address }) => {
        await this.metrics.serve(address);
        return { address: this.metrics.address };
      }),
    };
  }

  #events(call: ServerWritableStream<EventsRequest, EventBatch>): Promise<void> {
    const { sinceNs, untilNs, filters } = call.request;
    return answerEach(
      call,
      (signal) => this.events.read({ sinceNs, untilNs, filters, signal }),
      (events): EventBatch => ({ events: events.map(eventMessage) }),
    );
  }

  #audit(call: ServerWritableStream<AuditRequest, AuditBatch>): Promise<void> {
    return answerEach(
      call,
      (signal) => this.audit.read(call.request, signal),
      (entries): AuditBatch => ({ records: entries.map(auditMessage) }),
    );
  }

  #stats(call: ServerWritableStream<StatsRequest, StatsSample>): Promise<void> {
    return answerEach(
      call,
      (signal) => this.sampler.watch(call.request, signal),
      (samples): StatsSample => ({ boxes: samples.map(statsMessage) }),
    );
  }
}

function eventMessage({ attributes, ...event }: KeptEvent): Event {
  return Event.create({ ...event, attributes: { ...attributes } });
}

function auditMessage(entry: AuditEntry): AuditRecord {
  const { time: _time, details, ...rest } = entry;
  return AuditRecord.create({ ...rest, timeNs: timeOf(entry), details: JSON.stringify(details) });
}

function statsMessage({ box, figures }: Sample): BoxStats {
  const { id, name } = box;
  return BoxStats.create({ id, name, state: stateOf(box), usage: figures && BoxFigures.create(figures) });
}
