import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { mock } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxService } from '../../dist/box/box-service.js';
import { BoxClient } from '../../dist/client/index.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { SupervisorServer } from '../../dist/supervisor/supervisor-server.js';
import { fakeBoxService } from '../support/fake-box-service.ts';
import { FakeHypervisor } from '../support/fake-hypervisor.ts';

const spec = {
  image: 'a3s/starter',
  command: ['cat'],
  environment: [],
  terminal: false,
  stdinOpen: true,
  autoRemove: false,
  labels: {},
};

describe('SupervisorServer', () => {
  let directory: string;
  let hypervisor: FakeHypervisor;
  let client: BoxClient;
  let stack: AsyncDisposableStack;
  let stopped: () => boolean;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 's'));
    const layout = new HomeLayout(directory);
    await mkdir(layout.run, { mode: 0o700 });
    hypervisor = new FakeHypervisor();
    stack = new AsyncDisposableStack();
    stack.defer(() => rm(directory, { recursive: true }));
    const service = stack.use(await fakeBoxService(layout, hypervisor));
    ({ stopped } = service);
    const server = service.container.resolve(SupervisorServer);
    stack.defer(() => service.boxes.close());
    await server.listen(layout.supervisorSocket);
    client = await BoxClient.connect({ home: directory });
    stack.defer(() => client.close());
  });
  afterEach(() => stack.disposeAsync());

  it('listens on a socket for its owner alone', async () => {
    assert.equal((await stat(join(directory, 'run/supervisor.sock'))).mode & 0o777, 0o600);
  });

  it('says who it is and what backends there are', async () => {
    assert.deepEqual(client.supervisor, { pid: 42, version: '9.9.9', home: directory });
    const info = await client.info();
    assert.equal(info.chosenBackend, 'fake');
    assert.equal(info.backends[0]?.reason, 'it is a fake');
  });

  it('refuses a client that asks for another distribution', async () => {
    const supervisor = { command: ['false'], distribution: '/other.json' };
    await assert.rejects(BoxClient.connect({ home: directory, supervisor }), {
      code: 'SUPERVISOR_INCOMPATIBLE',
      message: /not with \/other\.json/,
    });
  });

  it('tells of emulation once', async () => {
    assert.match((await client.create(spec)).notices.join(), /emulates/);
    assert.deepEqual((await client.create(spec)).notices, []);
  });

  it('runs a box whose client was attached before the start', async () => {
    const { id } = await client.create({ ...spec, autoRemove: true });
    using attachment = await client.attach(id, { stdin: true });
    await client.start(id);
    const vm = await hypervisor.vm();
    await vm.writes('hello');
    await vm.workloadExits({ code: 3 });
    const output: string[] = [];
    for await (const { stream, data } of attachment.output) output.push(`${stream}:${data}`);
    assert.deepEqual(output, ['stdout:hello']);
    const exit = await attachment.exited;
    assert.ok(exit.known);
    assert.equal(exit.code, 3);
    await assert.rejects(client.inspect(id), { code: 'NOT_FOUND' });
  });

  it('runs a box in one call, and leaves it running when its client goes away', async () => {
    const created: string[] = [];
    const { box, attachment } = await client.run(spec, { onCreated: ({ id }) => created.push(id) });
    assert.deepEqual(created, [box.id]);
    const vm = await hypervisor.vm();
    attachment.close();
    assert.equal((await client.inspect(box.id)).state, 'running');
    await vm.workloadExits({ code: 4 });
    assert.equal(((await client.wait(box.id)) as { code: number }).code, 4);
  });

  it('gives a box its own time to stop, also for a restart, unless it is told another', async () => {
    const { id } = await client.create({ ...spec, options: { stopTimeoutMs: 3000 } });
    const given: number[] = [];
    const take = async (_box: unknown, { graceMs }: { graceMs: number }) => void given.push(graceMs);
    const mocks = (['stop', 'restart'] as const).map((name) => mock.method(BoxService.prototype, name, take));
    try {
      await client.stop(id);
      await client.restart(id);
      await client.restart(id, { graceMs: 0 });
    } finally {
      for (const { mock: one } of mocks) one.restore();
    }
    assert.deepEqual(given, [3000, 3000, 0]);
  });

  it('writes down who asked for what, and what came of it', async () => {
    const { id } = await client.create({ ...spec, name: 'kept', environment: ['TOKEN=hush'] });
    await client.list();
    await assert.rejects(client.start('nobody'));
    await client.rename('kept', 'other');
    const records = await Array.fromAsync(client.watching.audit());
    assert.deepEqual(
      records.map(({ operation, subject, box, outcome }) => [operation, subject, box, outcome]),
      [
        ['Boxes.Create', 'kept', undefined, 'begun'],
        ['Boxes.Create', 'kept', id, 'ok'],
        ['Boxes.Start', 'nobody', undefined, 'begun'],
        ['Boxes.Start', 'nobody', undefined, 'NOT_FOUND'],
        ['Lifecycle.Rename', 'kept', id, 'begun'],
        ['Lifecycle.Rename', 'kept', id, 'ok'],
      ],
    );
    assert.ok(records.every(({ uid, pid }) => uid === process.getuid?.() && pid === process.pid));
    assert.equal(new Set(records.map(({ call }) => call)).size, 3);
    assert.deepEqual(records[0]?.details, { image: 'a3s/starter', command: ['cat'], variables: ['TOKEN'] });
  });

  it('tells what happens to a box, in the order of its records', async () => {
    const ending = new AbortController();
    const { signal } = ending;
    const actions: string[] = [];
    const reading = (async () => {
      for await (const { action, actor } of client.watching.events({ sinceNs: 1n, signal })) {
        actions.push(`${action} ${actor.attributes['name']} ${actor.attributes['exitCode'] ?? ''}`.trim());
        if (action === 'destroy') break;
      }
    })();
    const { id } = await client.create({ ...spec, name: 'one' });
    await client.start(id);
    await client.rename(id, 'two');
    await (await hypervisor.vm()).workloadExits({ code: 5 });
    await client.wait(id);
    await client.remove(id);
    await reading;
    assert.deepEqual(actions, ['create one', 'start one', 'rename two', 'die two 5', 'destroy two']);
  });

  it('serves metrics on loopback or a socket alone, once it is told to, and no more', async () => {
    await client.create({ ...spec, name: 'quiet' });
    assert.equal(await client.watching.metrics(), undefined);
    for (const address of [
      '0.0.0.0:0',
      '[::]:0',
      '192.168.1.2:80',
      'example.org:80',
      'unix:relative',
      '127.0.0.1',
      '',
    ]) {
      if (address !== '') await assert.rejects(client.watching.serveMetrics(address), { code: 'INVALID_ARGUMENT' });
    }
    const address = await client.watching.serveMetrics('127.0.0.1:0');
    assert.match(address ?? '', /^127\.0\.0\.1:[1-9]\d*$/);
    const response = await fetch(`http://${address}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    assert.match(text, /^a3s_box_boxes\{state="created"\} 1$/m);
    assert.match(text, /^a3s_box_events_total 1$/m);
    assert.equal((await fetch(`http://${address}/other`)).status, 404);
    assert.equal((await fetch(`http://${address}/metrics`, { method: 'POST' })).status, 405);
    const socket = join(directory, 'metrics.sock');
    assert.equal(await client.watching.serveMetrics(`unix:${socket}`), `unix:${socket}`);
    assert.equal((await stat(socket)).mode & 0o777, 0o600);
    await assert.rejects(fetch(`http://${address}/metrics`));
    assert.equal(await client.watching.serveMetrics(undefined), undefined);
  });

  it('leaves nothing of a run that fails or is given up', async () => {
    hypervisor.refuseStart = { code: 5, details: 'no such command: nope' };
    await assert.rejects(client.runDetached(spec), { code: 'NOT_FOUND' });
    hypervisor.refuseStart = undefined;
    hypervisor.mute = true;
    const given = new AbortController();
    const running = client.run(spec, { signal: given.signal, onCreated: () => given.abort() });
    await assert.rejects(running, { code: 'CANCELLED' });
    await assert.doesNotReject(async () => {
      while ((await client.list({ all: true })).length > 0);
    });
  });

  it('gives what a box wrote, also while it runs and after its end', async () => {
    const { id } = await client.runDetached(spec);
    const vm = await hypervisor.vm();
    const read: string[] = [];
    const following = (async () => {
      for await (const { stream, data } of client.logs(id, { follow: true })) read.push(`${stream}:${data}`);
    })();
    await vm.writes('one\ntwo\n');
    await vm.workloadExits({ code: 0 });
    await following;
    assert.deepEqual(read, ['stdout:one\n', 'stdout:two\n']);
    const last = await Array.fromAsync(client.logs(id, { tail: 1 }), ({ data }) => String(data));
    assert.deepEqual(last, ['two\n']);
  });

  it('tells an attached client why a box could not be started', async () => {
    hypervisor.refuseStart = { code: 5, details: 'no such command: nope' };
    const { id } = await client.create(spec);
    using attachment = await client.attach(id);
    await assert.rejects(client.start(id), { code: 'NOT_FOUND', message: 'no such command: nope' });
    await assert.rejects(
      async () => {
        for await (const chunk of attachment.output) assert.ok(chunk);
      },
      { message: 'no such command: nope' },
    );
  });

  it('passes signals, sizes and waits on, and refuses them for a box that does not run', async () => {
    const { id } = await client.create(spec);
    await assert.rejects(client.signal({ box: id }, 'TERM'), { code: 'CONFLICT' });
    await client.start(id);
    const vm = await hypervisor.vm();
    await client.signal({ box: id }, 'TERM');
    assert.equal(vm.signals[0]?.signal, 15);
    const waiting = client.wait(id);
    await vm.workloadExits({ code: 143, signal: 15 });
    assert.deepEqual({ ...(await waiting), time: undefined }, { ...(await client.inspect(id)).exit, time: undefined });
    await client.remove(id);
  });

  it('keeps the image of a box that does not run, unless forced', async () => {
    const { id, name } = await client.create(spec);
    const message = new RegExp(`used by box "${name}", which is created`);
    await assert.rejects(client.images.remove('a3s/starter'), { code: 'IMAGE_IN_USE', message });
    assert.deepEqual((await client.images.remove('a3s/starter', { force: true })).deleted.length, 1);
    await client.remove(id);
    await client.images.remove('a3s/starter');
  });

  it('stops when it is told to', async () => {
    await client.stopSupervisor();
    assert.ok(stopped());
  });

  it('answers bad requests with what is wrong with them', async () => {
    await assert.rejects(client.create({ ...spec, name: '-' }), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(client.create({ ...spec, image: 'other' }), { code: 'IMAGE_NOT_FOUND' });
    await assert.rejects(client.attach('nobody'), { code: 'NOT_FOUND' });
    await assert.rejects(client.exec('nobody', { command: ['true'] }), { code: 'NOT_FOUND' });
  });
});
