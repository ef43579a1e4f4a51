import assert from 'node:assert/strict';
import type { Box } from '../../dist/box/box.js';
import { CONTAINER_ID } from '../../dist/box/container-start.js';
import type { BoxNetworks } from '../../dist/box/box-networks.js';
import type { BoxService } from '../../dist/box/box-service.js';
import { ContainerStats, StatsResponse } from '../../dist/gen/a3s/box/agent/v1/agent.js';
import { BoxError, type BlockCounters, type Logger, type Traffic } from '../../dist/index.js';
import { BoxSampler, type Figures } from '../../dist/stats/box-sampler.js';
import type { HomeLayout } from '../../dist/store/home-layout.js';

/** A guest that makes little of what it uses. */
const GUEST = StatsResponse.create({
  timeNs: 5n,
  networkReceivedBytes: 1n,
  networkSentBytes: 2n,
  containers: [ContainerStats.create({ containerId: CONTAINER_ID, blockReadBytes: 3n, blockWriteBytes: 4n })],
});
const silent = { debug: () => {} } as unknown as Logger;

interface Host {
  /** What the VMM counted, or why it does not tell. */
  readonly block?: BlockCounters | BoxError;
  readonly traffic?: Traffic | BoxError;
}

async function answer<T>(value: T | BoxError): Promise<T> {
  if (value instanceof BoxError) throw value;
  return value;
}

/** Samples one box. */
async function figures({ block, traffic }: Host): Promise<Figures | undefined> {
  const unsupported = new BoxError('UNSUPPORTED', 'it does not count');
  const vm = { vmm: { pid: 1 }, blockCounters: () => answer(block ?? unsupported) };
  const session = { call: () => answer(GUEST) };
  const box = { state: { kind: 'running', vm: { vm, session }, run: { sizing: { vcpus: 1 } } } } as unknown as Box;
  const home = { platform: { processMemory: () => answer(7) } } as unknown as HomeLayout;
  const networks = { trafficOf: () => answer(traffic) } as unknown as BoxNetworks;
  const [sample] = await new BoxSampler({} as BoxService, home, networks, silent).sample([box]);
  return sample?.figures;
}

describe('BoxSampler', () => {
  it('takes the figures of the host where it counts', async () => {
    const block = { readBytes: 30n, writtenBytes: 40n };
    const traffic = { receivedBytes: 10n, sentBytes: 20n };
    const { blockReadBytes, blockWrittenBytes, networkReceivedBytes, networkSentBytes, ...rest } =
      (await figures({ block, traffic })) ?? assert.fail('no figures');
    assert.deepEqual([blockReadBytes, blockWrittenBytes], [30n, 40n]);
    assert.deepEqual([networkReceivedBytes, networkSentBytes], [10n, 20n]);
    assert.deepEqual([rest.blockByHost, rest.networkByHost], [true, true]);
  });

  it('takes those of the guest where the host does not count', async () => {
    const { blockReadBytes, blockWrittenBytes, networkReceivedBytes, networkSentBytes, ...rest } =
      (await figures({})) ?? assert.fail('no figures');
    assert.deepEqual([networkReceivedBytes, networkSentBytes, blockReadBytes, blockWrittenBytes], [1n, 2n, 3n, 4n]);
    assert.deepEqual([rest.blockByHost, rest.networkByHost], [false, false]);
  });

  for (const [title, host] of Object.entries<Host>({
    disks: { block: new BoxError('INTERNAL', 'qemu does not tell') },
    network: { traffic: new BoxError('NETWORK_FAILED', 'the file is gone') },
  })) {
    it(`does not put the guest's figures in the place of the host's of the ${title} that failed`, async () => {
      assert.equal(await figures(host), undefined);
    });
  }
});
