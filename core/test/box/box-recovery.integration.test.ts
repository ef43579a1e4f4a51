import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Box } from '../../dist/box/box.js';
import { BoxLogs } from '../../dist/box/box-logs.js';
import type { BoxSpec } from '../../dist/box/box-spec.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { fakeBoxService, type FakeBoxService } from '../support/fake-box-service.ts';
import { FakeHypervisor, type FakeVm } from '../support/fake-hypervisor.ts';

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
  async function nextSupervisor(bootId = 'first boot'): Promise<void> {
    await service.boxes.leave();
    await service[Symbol.asyncDispose]();
    service = await fakeBoxService(layout, hypervisor, bootId);
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

  it('goes on with the log of an earlier run where it was', async () => {
    await run({ name: 'one' });
    await (await hypervisor.vm()).writes('first\n');
    await (await hypervisor.vm()).workloadExits({ code: 0 });
    const box = service.boxes.find('one');
    await box.ended;
    await service.boxes.start(box);
    const vm = await hypervisor.vm();
    await vm.writes('second\n');
    await nextSupervisor();
    await vm.writes('third\n');
    await vm.workloadExits({ code: 0 });
    assert.equal(await logOf('one'), 'first\nsecond\nthird\n');
  });

  it('leaves a box paused that its user paused, until its user lets it go on', async () => {
    await run({ name: 'one' });
    const vm = await hypervisor.vm();
    await service.boxes.pause(service.boxes.find('one'), { signal });
    for (let round = 0; round < 2; round++) {
      await nextSupervisor();
      const { state } = service.boxes.find('one');
      assert.deepEqual([state.kind, state.kind === 'paused' && state.because, vm.resumes], ['paused', 'user', 0]);
    }
    await service.boxes.unpause(service.boxes.find('one'), { signal });
    assert.equal(service.boxes.find('one').state.kind, 'running');
    await vm.writes('on\n');
    await vm.workloadExits({ code: 4 });
    assert.equal((await service.boxes.find('one').ended).code, 4);
    assert.equal(await logOf('one'), 'on\n');
  });

  it('removes a paused box that it found', async () => {
    await run({ name: 'one' });
    await service.boxes.pause(service.boxes.find('one'), { signal });
    await nextSupervisor();
    await service.boxes.remove(service.boxes.find('one'), { force: true });
    assert.equal(service.boxes.size, 0);
  });

  describe('with a restart policy', () => {
    const always = { restart: { name: 'always' } } as const;

    /** The next run of a box, once it runs. */
    async function nextRun(box: Box, before: number): Promise<FakeVm> {
      while (hypervisor.vms.length === before || box.state.kind !== 'running') await delay(5);
      return hypervisor.vms.at(-1)!;
    }

    it('starts a box again, and counts that; not one that its user stopped', async () => {
      const box = await run(always);
      await (await hypervisor.vm()).workloadExits({ code: 1 });
      const vm = await nextRun(box, 1);
      assert.equal(box.marks.restarts, 1);
      await vm.end({ kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: false });
      await nextRun(box, 2);
      assert.equal(box.marks.restarts, 2);
      await service.boxes.stop(box, { graceMs: 0 });
      assert.deepEqual([box.state.kind, box.restarting], ['exited', false]);
      await nextSupervisor();
      assert.equal(service.boxes.find(box.id).restarting, false);
    });

    it('gives up after so many failures', async () => {
      const box = await run({ restart: { name: 'on-failure', maximumRetries: 1 } });
      await (await hypervisor.vm()).workloadExits({ code: 1 });
      const vm = await nextRun(box, 1);
      await vm.workloadExits({ code: 3 });
      assert.equal((await box.ended).code, 3);
      assert.deepEqual([box.restarting, box.marks.restarts, box.state.kind], [false, 1, 'exited']);
    });

    it('is not started any more once it is stopped or removed while it waits', async () => {
      const [one, two] = [await run(always), await run({ ...always, name: 'two' })];
      for (const [index, box] of [one, two].entries()) {
        const { ended } = box;
        await hypervisor.vms[index]!.workloadExits({ code: 1 });
        await ended;
        assert.equal(box.restarting, true);
      }
      await assert.rejects(service.boxes.remove(one, { force: false }), { code: 'CONFLICT', message: /restarting/ });
      await service.boxes.stop(one, { graceMs: 0 });
      await service.boxes.remove(two, { force: true });
      assert.deepEqual([one.restarting, hypervisor.vms.length, service.boxes.size], [false, 2, 1]);
    });

    it('is not started any more once it is stopped while its start waits for its turn', async () => {
      const box = await run(always);
      const turn = Promise.withResolvers<void>();
      const busy = box.turns.take(() => turn.promise);
      await (await hypervisor.vm()).workloadExits({ code: 1 });
      await box.ended;
      await delay(200);
      assert.equal(box.restarting, true);
      await service.boxes.stop(box, { graceMs: 0 });
      turn.resolve();
      await busy;
      await box.turns.take(async () => {});
      assert.deepEqual([box.state.kind, box.restarting, hypervisor.vms.length], ['exited', false, 1]);
    });

    it('is started by the next supervisor when its VM is gone, and after a reboot also when it was stopped', async () => {
      await run({ ...always, name: 'lost' });
      await run({ ...always, name: 'stopped' });
      await run({ restart: { name: 'unless-stopped' }, name: 'not' });
      for (const name of ['stopped', 'not']) await service.boxes.stop(service.boxes.find(name), { graceMs: 0 });
      await service.boxes.leave();
      await hypervisor.vms[0]!.end({ kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: false });
      await nextSupervisor();
      await nextRun(service.boxes.find('lost'), 3);
      assert.equal(service.boxes.find('stopped').state.kind, 'exited');
      await nextSupervisor('second boot');
      await nextRun(service.boxes.find('stopped'), 4);
      assert.equal(service.boxes.find('not').state.kind, 'exited');
    });
  });

  it('asks a box with a health check whether it is well, and knows it over supervisors', async () => {
    const healthcheck = { test: ['CMD', 'probe'], intervalMs: 10, retries: 1 };
    const box = await run({ name: 'one', healthcheck });
    const vm = await hypervisor.vm();
    vm.execExits = { code: 1 };
    while (box.health?.status !== 'unhealthy') await delay(5);
    vm.execExits = { code: 0 };
    while ((box.health?.status as string) !== 'healthy') await delay(5);
    assert.ok(box.health.log.some(({ exitCode }) => exitCode === 1));
    await nextSupervisor();
    assert.equal(service.boxes.find('one').health?.status, 'healthy');
    await vm.workloadExits({ code: 0 });
    await service.boxes.find('one').ended;
  });
});
