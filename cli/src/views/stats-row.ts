/** A line of `stats`, with the fields that templates have. */
import type { BoxStats } from '@a3s-box/core/client';
import type { Row } from '../format/list-format.js';
import { binarySize, humanSize } from './human-size.js';
import { shortId } from './image-name.js';

export const STATS_COLUMNS =
  '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}\t{{.HostMem}}';

/** Docker's heads, but for the host's memory. */
export const STATS_HEADERS: Row = {
  BlockIO: 'BLOCK I/O',
  CPUPerc: 'CPU %',
  Container: 'CONTAINER',
  HostMem: 'HOST MEM',
  ID: 'BOX ID',
  MemPerc: 'MEM %',
  MemUsage: 'MEM USAGE / LIMIT',
  Name: 'NAME',
  NetIO: 'NET I/O',
  PIDs: 'PIDS',
};

const UNKNOWN = '--';

interface StatsRowOptions {
  /** Whether ids are cut. */
  readonly short: boolean;
  /** Boxes as the command line names them. */
  readonly named: readonly string[];
}

/** What is not known stands as `--`. */
export function statsRow({ id, name, usage }: BoxStats, { short, named }: StatsRowOptions): Row {
  const shown = short ? shortId(id) : id;
  const common = { Container: named.find((one) => one === name || id.startsWith(one)) ?? shown, ID: shown, Name: name };
  if (!usage) {
    const both = `${UNKNOWN} / ${UNKNOWN}`;
    return {
      ...common,
      ...{ BlockIO: both, CPUPerc: UNKNOWN, HostMem: UNKNOWN, MemPerc: UNKNOWN, MemUsage: both, NetIO: both },
      PIDs: UNKNOWN,
    };
  }
  const { cpuPercent, memoryBytes, memoryLimitBytes, hostMemoryBytes } = usage;
  return {
    ...common,
    BlockIO: `${humanSize(usage.blockReadBytes)} / ${humanSize(usage.blockWrittenBytes)}`,
    CPUPerc: cpuPercent === undefined ? UNKNOWN : `${cpuPercent.toFixed(2)}%`,
    HostMem: hostMemoryBytes === undefined ? UNKNOWN : binarySize(hostMemoryBytes),
    MemPerc: memoryLimitBytes > 0 ? `${((memoryBytes / memoryLimitBytes) * 100).toFixed(2)}%` : UNKNOWN,
    MemUsage: `${binarySize(memoryBytes)} / ${binarySize(memoryLimitBytes)}`,
    NetIO: `${humanSize(usage.networkReceivedBytes)} / ${humanSize(usage.networkSentBytes)}`,
    PIDs: String(usage.processes),
  };
}
