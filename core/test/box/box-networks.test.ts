import assert from 'node:assert/strict';
import type { Box } from '../../dist/box/box.js';
import { BoxNetworks, type Networks } from '../../dist/box/box-networks.js';
import type { BoxRecords } from '../../dist/box/box-records.js';
import { BoxError } from '../../dist/index.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { silentLogger } from '../logs/log-samples.ts';

describe('the network of a box that is taken over', () => {
  const operation = { signal: new AbortController().signal };
  const adopt = (failure: unknown) => {
    const network = { name: 'n', adopt: () => Promise.reject(failure) };
    const networks = { all: new Map([['n', network]]), preferred: [] } as unknown as Networks;
    const all = new BoxNetworks(networks, {} as BoxRecords, new HomeLayout('/nowhere'), silentLogger);
    return all.adopt({ id: 'b' } as Box, { network: 'n', version: 1, details: {} } as never, operation);
  };

  it('keeps nobody waiting when it is gone, or does not answer', async () => {
    for (const failure of [
      new BoxError('NOT_FOUND', 'gone'),
      AbortSignal.abort().reason,
      new BoxError('INTERNAL', 'x'),
    ])
      assert.equal(await adopt(failure), undefined);
  });
});
