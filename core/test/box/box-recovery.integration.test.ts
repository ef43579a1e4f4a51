import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxLogs } from '../../dist/box/box-logs.js';
import type { BoxSpec } from '../../dist/box/box-spec.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { fakeBoxService, type FakeBoxService } from '../support/fake-box-service.ts';
import { FakeHypervisor } from '../support/fake-hypervisor.ts';

const { signal } = new AbortController();
const spec: BoxSpec = {
  image: 'a3s/starter',
  environment: [],
  terminal: false,
  stdinOpen: false,
  autoRemove: false,
  labels: {},
};

describe('recovery of boxes', () => {
  let layout: HomeLayout;
  let hypervisor: FakeHypervisor;
  let service: FakeBoxService;

  beforeEach(async () => {
    layout = new HomeLayout(await mkdtemp(join(tmpdir(), 'r')));
    hypervisor = new FakeHypervisor();
    service = await fakeBoxService(layout, hypervisor);
  });
  afterEach(async () => {
    await service.boxes.close();
    await service[Symbol.asyncDispose]();
    for (const name of ['run', 'boxes']) assert.deepEqual(await readdir(join(layout.root, name)).catch(() => []), []);
    await rm(layout.root, { recursive: true });
  });

  /** What a supervisor's end and the next one's start are to boxes. */
  async function nextSupervisor(): Promise<void> {
    await service.boxes.leave();
    await service[Symbol.asyncDispose]();
    service = await fakeBoxService(layout, hypervisor);
  }

  const run = (change: Partial<BoxSpec> = {}) =>
    service.boxes.run({ ...spec, ...change }, { signal, prepare: async () => {} });

  async function logOf(name: string): Promise<string> {
    const blocks = await Array.fromAsync(
      service.container.resolve(BoxLogs).read(service.boxes.find(name), { follow: true }),
    );
    return blocks.flatMap((records) => records.map(({ data }) => String(data))).join('');
  }

  it('takes a running box over, with every line once and the right exit code', async () => {
    await run({ name: 'one' });
    const vm = await hypervisor.vm();
    await vm.writes('a\n');
    await vm.writes('b\n');
    await nextSupervisor();
    assert.equal(service.boxes.find('one').state.kind, 'running');
    await vm.writes('c\n');
    await vm.workloadExits({ code: 5 });
    assert.equal(await logOf('one'), 'a\nb\nc\n');
    assert.equal((await service.boxes.find('one').ended).code, 5);
  });

  it('learns of an end that came while no supervisor was there', async () => {
    await run({ name: 'one' });
    const vm = await hypervisor.vm();
    await service.boxes.leave();
    vm.goesOnAlone('last words\n', { code: 6 });
    await nextSupervisor();
    const exit = await service.boxes.find('one').ended;
    assert.deepEqual([exit.known, exit.code], [true, 6]);
    assert.equal(await logOf('one'), 'last words\n');
  });

  it('shows a box whose VM is gone as dead, and knows no exit code', async () => {
    await run({ name: 'one' });
    await run({ name: 'two', autoRemove: true });
    await service.boxes.leave();
    for (const vm of hypervisor.vms) {
      await vm.end({ kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: false });
    }
    await nextSupervisor();
    const box = service.boxes.find('one');
    assert.equal(box.state.kind, 'dead');
    assert.equal((await box.ended).known, false);
    assert.throws(() => service.boxes.find('two'), { code: 'NOT_FOUND' });
  });

  it('keeps boxes that have ended, with their generation', async () => {
    const box = await run({ name: 'one' });
    await (await hypervisor.vm()).workloadExits({ code: 7 });
    await box.ended;
    const { generation } = box;
    await nextSupervisor();
    const kept = service.boxes.find('one');
    assert.deepEqual([kept.state.kind, kept.generation], ['exited', generation]);
    assert.equal((await kept.ended).code, 7);
    await assert.rejects(service.boxes.create({ ...spec, name: 'one' }, { signal }), { code: 'ALREADY_EXISTS' });
  });

  it('lets a box that stands still for want of room go on, also under a supervisor that finds it so', async () => {
    await run({ name: 'one' });
    const vm = await hypervisor.vm();
    vm.stall();
    assert.equal(service.boxes.find('one').state.kind, 'paused');
    await assert.rejects(
      service.boxes.exec(
        service.boxes.find('one'),
        { command: ['id'], environment: [], terminal: false, stdinOpen: false, detached: false },
        { signal },
      ),
      { code: 'CONFLICT', message: /paused: the host's disk is full/ },
    );
    while (service.boxes.find('one').state.kind === 'paused') await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([vm.resumes, vm.clockSteps], [1, 1]);
  });
});
