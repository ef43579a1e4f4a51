import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { mock } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Box } from '../../dist/box/box.js';
import { BoxChanges } from '../../dist/box/box-changes.js';
import { BoxLogs } from '../../dist/box/box-logs.js';
import type { BoxService } from '../../dist/box/box-service.js';
import type { BoxSpec } from '../../dist/box/box-spec.js';
import type { BoxError } from '../../dist/index.js';
import { FOR_EVER_MS } from '../../dist/box/time-limit.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { fakeBoxService, type FakeBoxService } from '../support/fake-box-service.ts';
import { FakeHypervisor } from '../support/fake-hypervisor.ts';
import { fullDatabases } from '../support/full-database.ts';

const operation = { signal: new AbortController().signal };

describe('BoxService', () => {
  let directory: string;
  let hypervisor: FakeHypervisor;
  let boxes: BoxService;
  let service: FakeBoxService;

  const spec = (change: Partial<BoxSpec> = {}): BoxSpec => ({
    image: 'a3s/starter',
    environment: [],
    terminal: false,
    stdinOpen: false,
    autoRemove: false,
    labels: {},
    ...change,
  });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'b'));
    hypervisor = new FakeHypervisor();
    service = await fakeBoxService(new HomeLayout(directory), hypervisor);
    boxes = service.boxes;
  });

  afterEach(async () => {
    await boxes.close();
    assert.equal(service.rootDisks(), 0, 'root disks were not given back');
    for (const name of ['run', 'boxes']) assert.deepEqual(await readdir(join(directory, name)).catch(() => []), []);
    await service[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  async function logOf(box: Box): Promise<string> {
    let text = '';
    for await (const records of service.container.resolve(BoxLogs).read(box, { follow: false }))
      text += records.map(({ data }) => String(data)).join('');
    return text;
  }

  it('runs a workload to its end and says goodbye to the guest', async () => {
    const box = await boxes.create(spec({ command: ['echo'], hostname: 'here' }), operation);
    await boxes.start(box);
    const vm = await hypervisor.vm();
    assert.equal(vm.configured?.hostname, 'here');
    const config = JSON.parse(vm.container?.config.toString() ?? '') as { process: { args: string[] } };
    assert.deepEqual(config.process.args, ['echo']);
    const output: string[] = [];
    box.io.addSink(async ({ data }) => void output.push(data.toString()));
    await vm.writes('hello');
    await vm.workloadExits({ code: 7 });
    const exit = await box.ended;
    assert.deepEqual({ known: exit.known, code: exit.code }, { known: true, code: 7 });
    assert.deepEqual(output, ['hello']);
    assert.equal(vm.goodbyes, 1);
    assert.equal(box.state.kind, 'exited');
  });

  it('needs no goodbye from a box that goes away, and forgets it', async () => {
    const box = await boxes.create(spec({ autoRemove: true }), operation);
    await boxes.start(box);
    const vm = await hypervisor.vm();
    await vm.workloadExits({ code: 0 });
    await box.ended;
    assert.equal(vm.goodbyes, 0);
    assert.equal(boxes.size, 0);
  });

  it('tells a VM that died from a workload that ended, and knows no exit code then', async () => {
    const box = await boxes.create(spec(), operation);
    await boxes.start(box);
    const vm = await hypervisor.vm();
    await vm.end({ kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: true, requested: false });
    const exit = await box.ended;
    assert.equal(exit.known, false);
    assert.match(exit.reason, /no memory left/);
    assert.equal(box.state.kind, 'dead');
  });

  it('gives the console with the error when the guest dies before it answers', async () => {
    hypervisor.mute = true;
    const box = await boxes.create(spec(), operation);
    const starting = boxes.start(box);
    await (await hypervisor.vm()).end({ kind: 'vmm-failed', exitCode: 1, stderr: 'qemu: bad luck\n' });
    await assert.rejects(starting, (error: BoxError) => {
      assert.equal(error.code, 'VM_CRASHED');
      assert.match(error.hint ?? '', /bad luck[^]*Kernel panic/);
      return true;
    });
    assert.equal(box.state.kind, 'created');
    assert.match(box.marks.startError, /before its agent answered/);
  });

  it('gives the console when the guest never answers', async () => {
    const realTimeout = AbortSignal.timeout;
    const timeout = mock.method(AbortSignal, 'timeout', (ms: number) =>
      realTimeout.call(AbortSignal, Math.min(ms, 50)),
    );
    try {
      hypervisor.mute = true;
      const box = await boxes.create(spec(), operation);
      await assert.rejects(boxes.start(box), (error: BoxError) => {
        assert.equal(error.code, 'VM_START_FAILED');
        assert.match(error.message, /did not answer in 180 s/);
        assert.match(error.hint ?? '', /console/);
        return true;
      });
      assert.equal(box.state.kind, 'created');
    } finally {
      timeout.mock.restore();
    }
  });

  it('undoes a start that the guest refuses', async () => {
    hypervisor.refuseStart = { code: 5, details: 'no such command: nope' };
    const box = await boxes.create(spec({ command: ['nope'] }), operation);
    await assert.rejects(boxes.start(box), { code: 'NOT_FOUND', message: 'no such command: nope' });
    assert.equal(box.state.kind, 'created');
    assert.deepEqual(await readdir(join(directory, 'boxes')), []);
    hypervisor.refuseStart = undefined;
    await boxes.start(box);
    assert.deepEqual([box.state.kind, box.marks.startError], ['running', '']);
  });

  it('gives a start up when the box is removed meanwhile', async () => {
    hypervisor.mute = true;
    const box = await boxes.create(spec(), operation);
    const starting = boxes.start(box);
    starting.catch(() => {});
    await hypervisor.vm();
    await boxes.remove(box, { force: true });
    await assert.rejects(starting);
    assert.equal(boxes.size, 0);
  });

  it('starts a box again that has ended, with a run of its own', async () => {
    const box = await boxes.create(spec({ command: ['echo'] }), operation);
    const written: string[] = [];
    for (const [round, code] of [3, 4].entries()) {
      await boxes.start(box);
      const vm = await hypervisor.vm();
      assert.equal(hypervisor.vms.length, round + 1);
      const { ended } = box;
      box.io.addSink(async ({ data }) => void written.push(data.toString()));
      await vm.writes(`run ${round}\n`);
      await vm.workloadExits({ code });
      assert.equal((await ended).code, code);
    }
    assert.deepEqual(written, ['run 0\n', 'run 1\n']);
    assert.deepEqual(await logOf(box), 'run 0\nrun 1\n');
  });

  it('is what it was before when a second start comes to nothing', async () => {
    const box = await boxes.create(spec(), operation);
    await boxes.start(box);
    await (await hypervisor.vm()).workloadExits({ code: 5 });
    await box.ended;
    hypervisor.refuseStart = { code: 5, details: 'gone' };
    await assert.rejects(boxes.start(box), { message: 'gone' });
    assert.equal(box.state.kind, 'exited');
    assert.equal((await box.ended).code, 5);
    assert.equal(box.marks.startError, 'gone');
    assert.deepEqual(await readdir(join(directory, 'boxes')), [box.id]);
  });

  it('restarts a box that runs, also one that is removed at its end', async () => {
    for (const autoRemove of [false, true]) {
      const box = await boxes.create(spec({ autoRemove }), operation);
      await boxes.start(box);
      const { vms } = hypervisor;
      const before = vms.length;
      await boxes.restart(box, { graceMs: 0 });
      assert.deepEqual([vms.length, box.state.kind, boxes.find(box.id)], [before + 1, 'running', box]);
      await boxes.stop(box, { graceMs: 0 });
      assert.equal(boxes.list().includes(box), !autoRemove);
    }
  });

  it('pauses and lets go on, with its clock set; what is to end it lets it go on first', async () => {
    const request = { command: ['id'], environment: [], terminal: false, stdinOpen: false, detached: false };
    const box = await boxes.create(spec(), operation);
    await assert.rejects(boxes.pause(box, operation), { code: 'CONFLICT' });
    await boxes.start(box);
    const vm = await hypervisor.vm();
    await boxes.pause(box, operation);
    assert.deepEqual([vm.pauses, box.state.kind], [1, 'paused']);
    for (const refused of [
      boxes.pause(box, operation),
      boxes.exec(box, request, operation),
      boxes.start(box),
      boxes.signal(box, '', 10, operation),
    ])
      await assert.rejects(refused, { code: 'CONFLICT', message: /paused/ });
    assert.throws(() => boxes.streams(box, ''), { code: 'CONFLICT' });
    const steps = vm.clockSteps;
    await boxes.unpause(box, operation);
    assert.deepEqual([vm.resumes, vm.clockSteps, box.state.kind], [1, steps + 1, 'running']);
    await assert.rejects(boxes.unpause(box, operation), { code: 'CONFLICT' });
    await boxes.pause(box, operation);
    const exit = await boxes.stop(box, { graceMs: 5 });
    assert.deepEqual([vm.resumes, exit?.known, exit?.code], [2, true, 137]);
  });

  it('does not pause a box that ends meanwhile, and nothing of that is left for its next run', async () => {
    const box = await boxes.create(spec(), operation);
    await boxes.start(box);
    const vm = await hypervisor.vm();
    vm.pause = async () => {
      await vm.workloadExits({ code: 3 });
      await box.ended;
    };
    await assert.rejects(boxes.pause(box, operation), { code: 'CONFLICT', message: /it is exited/ });
    assert.deepEqual([box.state.kind, box.marks.pausedByUser], ['exited', false]);
  });

  it('ends a paused box whose guest does not go on', async () => {
    const box = await boxes.create(spec(), operation);
    await boxes.start(box);
    const vm = await hypervisor.vm();
    await boxes.pause(box, operation);
    const realTimeout = AbortSignal.timeout;
    const timeout = mock.method(AbortSignal, 'timeout', () => realTimeout.call(AbortSignal, 20));
    vm.resume = ({ signal }: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    try {
      const exit = await boxes.stop(box, { graceMs: 60_000 });
      assert.deepEqual([exit?.known, box.state.kind, vm.over], [false, 'dead', true]);
    } finally {
      timeout.mock.restore();
    }
  });

  it('removes a box that was to go with its end when its restart comes to nothing', async () => {
    const box = await boxes.create(spec({ autoRemove: true }), operation);
    await boxes.start(box);
    hypervisor.refuseStart = { code: 5, details: 'gone' };
    await assert.rejects(boxes.restart(box, { graceMs: 0 }), { message: 'gone' });
    assert.deepEqual([boxes.size, box.gone], [0, true]);
  });

  it('goes on when there is no room to write down that it is paused', async () => {
    const box = await boxes.create(spec(), operation);
    await boxes.start(box);
    const vm = await hypervisor.vm();
    {
      using _ = fullDatabases();
      await assert.rejects(boxes.pause(box, operation), { code: 'DISK_FULL' });
    }
    assert.deepEqual([vm.pauses, vm.resumes, box.state.kind, box.marks.pausedByUser], [1, 1, 'running', false]);
    await boxes.pause(box, operation);
    await boxes.unpause(box, operation);
  });

  it('stops without a limit, and with one that is longer than a timer, when the workload ends', async () => {
    for (const graceMs of [FOR_EVER_MS, 2 ** 31]) {
      const box = await boxes.create(spec(), operation);
      await boxes.start(box);
      const vm = await hypervisor.vm();
      const stopped = boxes.stop(box, { graceMs });
      await delay(30);
      assert.equal(box.state.kind, 'running', `after ${graceMs} ms it was killed`);
      await vm.workloadExits({ code: 5 });
      assert.equal((await stopped)?.code, 5);
      await boxes.remove(box, { force: false });
    }
  });

  it('ends a box at its time limit', async () => {
    const box = await boxes.create(spec({ timeoutMs: 20 }), operation);
    await boxes.start(box);
    const exit = await box.ended;
    assert.deepEqual(
      { code: exit.code, timedOut: exit.timedOut, known: exit.known },
      { code: 124, timedOut: true, known: true },
    );
  });

  it('stops with the stop signal, then kills', async () => {
    const box = await boxes.create(spec({ stopSignal: 'USR1' }), operation);
    await boxes.start(box);
    const vm = await hypervisor.vm();
    const exit = await boxes.stop(box, { graceMs: 10 });
    assert.deepEqual(
      vm.signals.map(({ signal }) => signal),
      [10, 9],
    );
    assert.equal(exit?.code, 137);
  });

  it('gives a workload all of a long grace time', async () => {
    const box = await boxes.create(spec(), operation);
    await boxes.start(box);
    const vm = await hypervisor.vm();
    const stopped = boxes.stop(box, { graceMs: 3e9 });
    await delay(50);
    assert.deepEqual(
      vm.signals.map(({ signal }) => signal),
      [15],
    );
    await vm.workloadExits({ code: 0 });
    assert.equal((await stopped)?.code, 0);
  });

  it('refuses a name in use, an unknown image, a wrong spec and a wrong size before anything starts', async () => {
    await boxes.create(spec({ name: 'taken' }), operation);
    await assert.rejects(boxes.create(spec({ name: 'taken' }), operation), { code: 'ALREADY_EXISTS' });
    await assert.rejects(boxes.create(spec({ image: 'other' }), operation), { code: 'IMAGE_NOT_FOUND' });
    await assert.rejects(boxes.create(spec({ stopSignal: 'NOPE' }), operation), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(boxes.create(spec({ backend: 'other' }), operation), { code: 'BACKEND_UNAVAILABLE' });
    const small = boxes.create(spec({ memoryBytes: 2 ** 20 }), operation);
    await assert.rejects(small, { code: 'INVALID_ARGUMENT', message: /1 MiB/ });
    await assert.rejects(boxes.create(spec({ nanoCpus: 9e9 }), operation), { message: /9 CPUs/ });
    assert.equal(hypervisor.vms.length, 0);
  });

  it('changes no box so that it could not start any more', async () => {
    const box = await boxes.create(spec({ memoryBytes: 2 ** 27 }), operation);
    const changes = service.container.resolve(BoxChanges);
    const refused = { code: 'INVALID_ARGUMENT', message: /1 MiB/ };
    await assert.rejects(changes.update(box, { memoryBytes: 2 ** 20 }, operation), refused);
    await boxes.start(box);
    await assert.rejects(changes.update(box, { memoryBytes: 2 ** 20 }, operation), refused);
    assert.equal(box.spec.memoryBytes, 2 ** 27);
    await changes.update(await boxes.create(spec(), operation), { memoryBytes: 2 ** 26 }, operation);
  });

  it('finds a box by name, id and unique prefix', async () => {
    const box = await boxes.create(spec({ name: 'one' }), operation);
    for (const reference of ['one', box.id, box.id.slice(0, 12)]) assert.equal(boxes.find(reference), box);
    assert.throws(() => boxes.find('two'), { code: 'NOT_FOUND' });
    assert.throws(() => boxes.find(''), { code: 'NOT_FOUND' });
  });

  it('starts one more process with the box’s own user', async () => {
    const box = await boxes.create(spec({ user: 'nobody' }), operation);
    const request = { command: ['id'], environment: [], terminal: false, stdinOpen: false, detached: false };
    await assert.rejects(boxes.exec(box, request, operation), { code: 'CONFLICT' });
    await boxes.start(box);
    const vm = await hypervisor.vm();
    const exec = await boxes.exec(box, request, operation);
    assert.equal(vm.processes[0]?.processId, exec.id);
    const process = JSON.parse(vm.processes[0]?.start?.process.toString() ?? '') as { user: { username: string } };
    assert.equal(process.user.username, 'nobody');
    await assert.rejects(boxes.exec(box, { ...request, command: [] }, operation), { code: 'INVALID_ARGUMENT' });
  });
});
