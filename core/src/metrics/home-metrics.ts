import { shortId } from '../box/box.js';
import { BoxService } from '../box/box-service.js';
import { CLIENT_VERSION } from '../client/version.js';
import { EventLog } from '../events/event-log.js';
import { injectable } from '../kernel/container.js';
import { BoxSampler, type Figures, type Sample } from '../stats/box-sampler.js';
import { exposition, type Metric, type MetricSample } from './exposition.js';

const NS_PER_S = 1e9;
const STATES = ['created', 'starting', 'running', 'paused', 'stopping', 'restarting', 'exited', 'dead'];

type OfBox = Omit<Metric, 'samples'> & { readonly value: (figures: Figures) => number };

/** docs/watching.md has them. */
const OF_BOXES: readonly OfBox[] = [
  {
    name: 'a3s_box_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time that the box has used since its start',
    value: ({ cpuNs }) => Number(cpuNs) / NS_PER_S,
  },
  { name: 'a3s_box_cpus', type: 'gauge', help: 'CPUs of the virtual machine', value: ({ vcpus }) => vcpus },
  {
    name: 'a3s_box_memory_bytes',
    type: 'gauge',
    help: 'Memory of the processes of the box',
    value: ({ memoryBytes }) => Number(memoryBytes),
  },
  {
    name: 'a3s_box_memory_limit_bytes',
    type: 'gauge',
    help: 'Memory that the processes of the box may have',
    value: ({ memoryLimitBytes }) => Number(memoryLimitBytes),
  },
  {
    name: 'a3s_box_processes',
    type: 'gauge',
    help: 'Processes and threads in the box',
    value: ({ processes }) => Number(processes),
  },
  {
    name: 'a3s_box_network_receive_bytes_total',
    type: 'counter',
    help: 'Bytes that the network card of the box has received',
    value: ({ networkReceivedBytes }) => Number(networkReceivedBytes),
  },
  {
    name: 'a3s_box_network_transmit_bytes_total',
    type: 'counter',
    help: 'Bytes that the network card of the box has sent',
    value: ({ networkSentBytes }) => Number(networkSentBytes),
  },
  {
    name: 'a3s_box_block_read_bytes_total',
    type: 'counter',
    help: 'Bytes read from the disks of the box',
    value: ({ blockReadBytes }) => Number(blockReadBytes),
  },
  {
    name: 'a3s_box_block_written_bytes_total',
    type: 'counter',
    help: 'Bytes written to the disks of the box',
    value: ({ blockWrittenBytes }) => Number(blockWrittenBytes),
  },
];

/** What a scrape is told. Everything is asked for then: nothing is counted between scrapes. */
@injectable()
export class HomeMetrics {
  constructor(
    private readonly boxes: BoxService,
    private readonly sampler: BoxSampler,
    private readonly events: EventLog,
  ) {}

  async text(): Promise<string> {
    const boxes = this.boxes.list();
    const samples = await this.sampler.sample(boxes.filter(({ live }) => live));
    const count = (state: string) =>
      boxes.filter((box) => (box.restarting ? 'restarting' : box.state.kind) === state).length;
    return exposition([
      {
        name: 'a3s_box_info',
        type: 'gauge',
        help: 'The supervisor that answers',
        samples: [{ labels: { version: CLIENT_VERSION }, value: 1 }],
      },
      {
        name: 'a3s_box_boxes',
        type: 'gauge',
        help: 'Boxes by state',
        samples: STATES.map((state) => ({ labels: { state }, value: count(state) })),
      },
      {
        name: 'a3s_box_events_total',
        type: 'counter',
        help: 'Events of this home since it was made',
        samples: [{ value: Number(this.events.newest()) }],
      },
      {
        name: 'a3s_box_supervisor_resident_memory_bytes',
        type: 'gauge',
        help: 'Memory of the supervisor itself',
        samples: [{ value: process.memoryUsage.rss() }],
      },
      ...OF_BOXES.map(({ value, ...metric }) => ({ ...metric, samples: samplesOf(samples, value) })),
      {
        name: 'a3s_box_host_memory_bytes',
        type: 'gauge',
        help: 'Memory of the host that the virtual machine takes, with its part of what it shares',
        samples: samplesOf(samples, ({ hostMemoryBytes }) => Number(hostMemoryBytes)).filter(({ value }) => value > 0),
      },
    ]);
  }
}

function samplesOf(samples: readonly Sample[], value: (figures: Figures) => number): MetricSample[] {
  return samples.flatMap(({ box, figures }) => {
    if (!figures) return [];
    const labels = { box: shortId(box.id), name: box.name, image: box.spec.image };
    return [{ labels, value: value(figures) }];
  });
}
