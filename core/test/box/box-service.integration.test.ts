import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { mock } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoxService } from '../../dist/box/box-service.js';
import type { BoxSpec } from '../../dist/box/box-spec.js';
import type { BoxError } from '../../dist/index.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { fakeBoxService, type FakeBoxService } from '../support/fake-box-service.ts';
import { FakeHypervisor } from '../support/fake-hypervisor.ts';

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
    assert.equal(boxes.size, 0);
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
      assert.equal(boxes.size, 0);
    } finally {
      timeout.mock.restore();
    }
  });

  it('undoes a start that the guest refuses', async () => {
    hypervisor.refuseStart = { code: 5, details: 'no such command: nope' };
    const box = await boxes.create(spec({ command: ['nope'] }), operation);
    await assert.rejects(boxes.start(box), { code: 'NOT_FOUND', message: 'no such command: nope' });
    assert.equal(boxes.size, 0);
  });

  it('gives a start up when the box is removed meanwhile', async () => {
    hypervisor.mute = true;
    const box = await boxes.create(spec(), operation);
    const starting = boxes.start(box);
    starting.catch(() => {});
    await hypervisor.vm();
    await boxes.remove(box, true);
    await assert.rejects(starting);
    assert.equal(boxes.size, 0);
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
    const exit = await boxes.stop(box, 10);
    assert.deepEqual(
      vm.signals.map(({ signal }) => signal),
      [10, 9],
    );
    assert.equal(exit?.code, 137);
  });

  it('refuses a name in use, an unknown image, a wrong spec and a wrong size before anything starts', async () => {
    await boxes.create(spec({ name: 'taken' }), operation);
    await assert.rejects(boxes.create(spec({ name: 'taken' }), operation), { code: 'ALREADY_EXISTS' });
    await assert.rejects(boxes.create(spec({ image: 'other' }), operation), { code: 'IMAGE_NOT_FOUND' });
    await assert.rejects(boxes.create(spec({ stopSignal: 'NOPE' }), operation), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(boxes.create(spec({ backend: 'other' }), operation), { code: 'BACKEND_UNAVAILABLE' });
    const small = await boxes.create(spec({ memoryBytes: 2 ** 20 }), operation);
    await assert.rejects(boxes.start(small), { code: 'INVALID_ARGUMENT', message: /1 MiB/ });
    assert.equal(hypervisor.vms.length, 0);
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
