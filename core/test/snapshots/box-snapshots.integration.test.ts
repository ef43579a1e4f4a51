import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { mock } from 'node:test';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Box, BoxState } from '../../dist/box/box.js';
import { BoxDisks } from '../../dist/box/box-disks.js';
import { BoxSnapshots } from '../../dist/snapshots/box-snapshots.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { fakeBoxService, type FakeBoxService } from '../support/fake-box-service.ts';
import { FakeHypervisor } from '../support/fake-hypervisor.ts';

const operation = { signal: new AbortController().signal };

describe('a snapshot of a box that does not run', () => {
  let directory: string;
  let service: FakeBoxService;
  let snapshots: BoxSnapshots;
  let box: Box;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 's'));
    const home = new HomeLayout(directory);
    service = await fakeBoxService(home, new FakeHypervisor());
    snapshots = service.container.resolve(BoxSnapshots);
    const spec = { image: 'a3s/starter', environment: [], terminal: false, stdinOpen: false, autoRemove: false };
    box = await service.boxes.create({ ...spec, labels: {} }, operation);
    const disk = home.boxScratch(box.id);
    await mkdir(dirname(disk), { recursive: true });
    await writeFile(disk, 'disk');
  });
  afterEach(async () => {
    await service.boxes.close();
    await service[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  /** What becomes of the box while its disk is waited for. */
  async function meanwhile(change: () => void): Promise<unknown> {
    const take = mock.method(BoxDisks.prototype, 'take', async () => {
      change();
      return { [Symbol.dispose]: () => {} };
    });
    try {
      return await snapshots.create(box, undefined, operation);
    } finally {
      take.mock.restore();
    }
  }

  it('is not made of a disk that is being written to, since the box was started meanwhile', async () => {
    const before: BoxState = box.state;
    const made = meanwhile(() => (box.state = { kind: 'starting' }));
    await assert.rejects(made, { code: 'CONFLICT', message: /just been started/ });
    box.state = before;
    assert.deepEqual(await snapshots.list(), []);
  });

  it('is not made of a box that was removed meanwhile', async () => {
    await assert.rejects(
      meanwhile(() => (box.gone = true)),
      { code: 'NOT_FOUND' },
    );
    box.gone = false;
    assert.deepEqual(await snapshots.list(), []);
  });

  it('has a name of its own, also when two are made at a time', async () => {
    const both = await Promise.allSettled([1, 2].map(() => snapshots.create(box, 'one', operation)));
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    assert.equal((await snapshots.list()).length, 1);
  });
});
