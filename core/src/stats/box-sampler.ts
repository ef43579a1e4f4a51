import { setTimeout as delay } from 'node:timers/promises';
import { sizingOf } from '../box/box-spec.js';
import type { Box } from '../box/box.js';
import { BoxService } from '../box/box-service.js';
import { CONTAINER_ID } from '../box/container-start.js';
import { BoxNetworks } from '../box/box-networks.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { AgentService, StatsRequest, type StatsResponse } from '../gen/a3s/box/agent/v1/agent.js';
import { inject, injectable } from '../kernel/container.js';
import type { BlockCounters, Vm } from '../ports/hypervisor.js';
import type { Logger } from '../ports/logger.js';
import type { Traffic } from '../ports/network.js';
import { LoggerToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';

/** A guest that has not answered after this is left out of a sample. */
const ANSWER_LIMIT_MS = 2000;
/** Whoever asks this soon after another gets the same figures. */
const FRESH_MS = 50;
const LEAST_INTERVAL_MS = 100;

/** What a box uses; counters count from the start of its guest or of its VM. */
export interface Figures {
  /** When they were read in the guest, nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
  readonly cpuNs: bigint;
  readonly memoryBytes: bigint;
  readonly memoryLimitBytes: bigint;
  /** 0n: not known. */
  readonly hostMemoryBytes: bigint;
  readonly vcpus: number;
  readonly processes: bigint;
  readonly networkReceivedBytes: bigint;
  readonly networkSentBytes: bigint;
  readonly blockReadBytes: bigint;
  readonly blockWrittenBytes: bigint;
  /** Whether the host counted what went over the network; else the guest says so. */
  readonly networkByHost: boolean;
  /** The same for the disks. */
  readonly blockByHost: boolean;
}

export interface Sample {
  readonly box: Box;
  /** Absent for a box that does not run, and one whose guest does not answer. */
  readonly figures?: Figures | undefined;
}

export interface SampleRequest {
  /** Names, ids or unique prefixes of ids; empty: all that run. */
  readonly boxes: readonly string[];
  /** Without `boxes`: also those that do not run. */
  readonly all: boolean;
  /** 0: one sample. */
  readonly intervalMs: number;
}

/** Asks guests and the host what boxes use. */
@injectable()
export class BoxSampler {
  readonly #recent = new WeakMap<Box, { readonly atMs: number; readonly figures: Promise<Figures | undefined> }>();

  constructor(
    private readonly boxes: BoxService,
    private readonly home: HomeLayout,
    private readonly networks: BoxNetworks,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** @throws NOT_FOUND, AMBIGUOUS_REFERENCE, INVALID_ARGUMENT for an interval that is too short */
  async *watch(request: SampleRequest, signal: AbortSignal): AsyncGenerator<Sample[], void, void> {
    const { boxes: references, all, intervalMs } = request;
    if (intervalMs > 0 && intervalMs < LEAST_INTERVAL_MS) {
      throw new BoxError('INVALID_ARGUMENT', `an interval of ${intervalMs} ms is too short`, {
        hint: `give at least ${LEAST_INTERVAL_MS}`,
      });
    }
    const named = references.map((reference) => this.boxes.find(reference));
    for (;;) {
      const begin = performance.now();
      const selected =
        named.length > 0 ? named.filter(({ gone }) => !gone) : this.boxes.list().filter(({ live }) => live || all);
      yield await this.sample(selected);
      if (intervalMs === 0) return;
      try {
        await delay(Math.max(0, intervalMs - (performance.now() - begin)), undefined, { signal });
      } catch {
        signal.throwIfAborted();
      }
    }
  }

  /** All at the same time. */
  sample(boxes: readonly Box[]): Promise<Sample[]> {
    return Promise.all(boxes.map(async (box) => ({ box, figures: await this.#figures(box) })));
  }

  #figures(box: Box): Promise<Figures | undefined> {
    const recent = this.#recent.get(box);
    const atMs = performance.now();
    if (recent && atMs - recent.atMs < FRESH_MS) return recent.figures;
    const figures = this.#ask(box);
    this.#recent.set(box, { atMs, figures });
    return figures;
  }

  async #ask(box: Box): Promise<Figures | undefined> {
    const { state } = box;
    if (state.kind !== 'running') return undefined;
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    try {
      const { vm, session } = state.vm;
      const [guest, memoryBytes, block, network] = await Promise.all([
        session.call(AgentService.stats, StatsRequest.create(), limit),
        this.home.platform.processMemory(vm.vmm.pid),
        blockOf(vm, limit),
        this.networks.trafficOf(box, { signal: limit }),
      ]);
      const vcpus = (state.run.sizing ?? sizingOf(box.spec)).vcpus;
      return figuresOf(guest, vcpus, { memoryBytes, block, network });
    } catch (error) {
      // It is ending, or stands still; what it used is asked for again. A guest's word never stands in for the host's.
      this.logger.debug({ box: box.id, error }, 'it cannot be told what a box uses');
      return undefined;
    }
  }
}

/** What the host itself knows of a box. */
interface HostFigures {
  readonly memoryBytes: number | undefined;
  readonly block: BlockCounters | undefined;
  readonly network: Traffic | undefined;
}

/** @returns undefined where the backend does not count */
async function blockOf(vm: Vm, signal: AbortSignal): Promise<BlockCounters | undefined> {
  try {
    return await vm.blockCounters({ signal });
  } catch (error) {
    if (isBoxError(error) && error.code === 'UNSUPPORTED') return undefined;
    throw error;
  }
}

function figuresOf(guest: StatsResponse, vcpus: number, host: HostFigures): Figures | undefined {
  const container = guest.containers.find(({ containerId }) => containerId === CONTAINER_ID);
  if (!container) return undefined;
  const { memoryBytes, memoryReclaimableBytes, memoryLimitBytes } = container;
  const { block, network } = host;
  return {
    timeNs: guest.timeNs,
    cpuNs: container.cpuUsageNs,
    memoryBytes: memoryBytes > memoryReclaimableBytes ? memoryBytes - memoryReclaimableBytes : 0n,
    memoryLimitBytes: memoryLimitBytes > 0n ? memoryLimitBytes : guest.memoryTotalBytes,
    hostMemoryBytes: BigInt(host.memoryBytes ?? 0),
    vcpus,
    processes: container.processes,
    networkReceivedBytes: network?.receivedBytes ?? guest.networkReceivedBytes,
    networkSentBytes: network?.sentBytes ?? guest.networkSentBytes,
    blockReadBytes: block?.readBytes ?? container.blockReadBytes,
    blockWrittenBytes: block?.writtenBytes ?? container.blockWriteBytes,
    networkByHost: network !== undefined,
    blockByHost: block !== undefined,
  };
}
