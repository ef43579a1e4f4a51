import type { ServerWritableStream } from '@grpc/grpc-js';
import { EventLog } from '../events/event-log.js';
import type { KeptEvent } from '../events/event.js';
import {
  BoxFigures,
  BoxStats,
  Event,
  type EventBatch,
  type EventsRequest,
  type StatsRequest,
  type StatsSample,
  type WatchingServer,
} from '../gen/a3s/box/supervisor/v1/watching.js';
import { injectable } from '../kernel/container.js';
import { BoxSampler, type Sample } from '../stats/box-sampler.js';
import { answerEach } from './grpc-handlers.js';
import { stateOf } from './messages.js';

/** The Watching service of the supervisor protocol. */
@injectable()
export class WatchingHandlers {
  constructor(
    private readonly events: EventLog,
    private readonly sampler: BoxSampler,
  ) {}

  handlers(): WatchingServer {
    return {
      events: (call) => void this.#events(call),
      stats: (call) => void this.#stats(call),
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

function statsMessage({ box, figures }: Sample): BoxStats {
  const { id, name } = box;
  return BoxStats.create({ id, name, state: stateOf(box), usage: figures && BoxFigures.create(figures) });
}
