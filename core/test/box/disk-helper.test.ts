import assert from 'node:assert/strict';
import type { Box } from '../../dist/box/box.js';
import { DiskHelper, type HelperParts } from '../../dist/box/disk-helper.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { silentLogger } from '../logs/log-samples.ts';

describe('a helper that is not needed any more', () => {
  let images: { rootDisk(): Promise<{ release(): Promise<void> }> };
  let held: number;
  const helper = (): DiskHelper => {
    const parts = {
      images,
      backends: { choose: async () => ({}) },
      vms: { start: async (_: unknown, { signal }: { signal: AbortSignal }) => signal.throwIfAborted() },
      records: { note: () => 1n, noteVmm: () => {} },
      reaper: { reap: async () => true },
      home: new HomeLayout('/nowhere'),
      logger: silentLogger,
    };
    const box = { id: 'b'.repeat(64), spec: {}, image: { id: 'x' } } as unknown as Box;
    return new DiskHelper(box, { withVolumes: false, giveUp: async () => {} }, parts as unknown as HelperParts);
  };
  const take = async () => {
    held++;
    return { release: async () => void held-- };
  };
  beforeEach(() => (held = 0));

  it('gives back what it gets after it was ended', async () => {
    const gate = Promise.withResolvers<void>();
    images = { rootDisk: () => gate.promise.then(take) };
    const ended = helper();
    const starting = ended.start();
    starting.catch(() => {});
    const killing = ended.kill();
    gate.resolve();
    await killing;
    await assert.rejects(starting, { name: 'AbortError' });
    assert.equal(held, 0);
  });

  it('does not start once it was ended', async () => {
    images = { rootDisk: take };
    const ended = helper();
    await ended.kill();
    await assert.rejects(ended.start(), { name: 'AbortError' });
    assert.equal(held, 0);
  });
});
