import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { mock } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxChanges } from '../../dist/box/box-changes.js';
import type { BoxSpec } from '../../dist/box/box-spec.js';
import { StateDatabase } from '../../dist/state/state-database.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import { fakeBoxService, type FakeBoxService } from '../support/fake-box-service.ts';
import { FakeHypervisor } from '../support/fake-hypervisor.ts';

const operation = { signal: new AbortController().signal };

/** What the last of these events says of a box. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  create: ['created', 'starting'],
  start: ['running'],
  die: ['stopping', 'exited', 'dead', 'starting'],
  destroy: [],
};

describe('events of boxes', () => {
  let directory: string;
  let layout: HomeLayout;
  let hypervisor: FakeHypervisor;
  let service: FakeBoxService;
  let reader: DatabaseSync | undefined;
  let commits = 0;

  const spec = (change: Partial<BoxSpec> = {}): BoxSpec => ({
    image: 'a3s/starter',
    environment: [],
    terminal: false,
    stdinOpen: false,
    autoRemove: false,
    labels: {},
    ...change,
  });

  /** Whoever dies right after a commit leaves just this: records and events have to say the same. */
  function compare(): void {
    commits++;
    reader ??= new DatabaseSync(layout.state, { readOnly: true });
    const states = new Map(
      reader
        .prepare('SELECT id, state FROM boxes')
        .all()
        .map(({ id, state }) => [id, state]),
    );
    const told = new Map<unknown, string>();
    for (const { actor, action } of reader.prepare('SELECT actor, action FROM events ORDER BY sequence').all()) {
      if (Object.hasOwn(STATES, action as string)) told.set(actor, action as string);
    }
    for (const [id, action] of told) {
      const state = states.get(id as string);
      const fits = state === undefined ? action === 'destroy' : STATES[action]!.includes(state as string);
      assert.ok(fits, `after commit ${commits}: the box is ${String(state)}, and its last event is ${action}`);
    }
    for (const id of states.keys()) assert.ok(told.has(id as string), `a box without an event: ${String(id)}`);
  }

  const { transaction } = StateDatabase.prototype;

  const actions = () =>
    (reader?.prepare('SELECT action FROM events ORDER BY sequence').all() ?? []).map(({ action }) => action as string);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'b'));
    layout = new HomeLayout(directory);
    hypervisor = new FakeHypervisor();
    commits = 0;
    reader = undefined;
    mock.method(StateDatabase.prototype, 'transaction', function <T>(this: StateDatabase, work: () => T): T {
      const result = transaction.call(this, work) as T;
      compare();
      return result;
    });
    service = await fakeBoxService(layout, hypervisor);
  });
  afterEach(async () => {
    await service.boxes.close();
    await service[Symbol.asyncDispose]();
    mock.restoreAll();
    reader?.close();
    await rm(directory, { recursive: true });
  });

  it('say the same as the records after every commit, over a whole life', async () => {
    const { boxes } = service;
    const box = await boxes.create(spec(), operation);
    await boxes.start(box);
    await (await hypervisor.vm()).workloadExits({ code: 1 });
    await box.ended;
    await boxes.start(box);
    await boxes.pause(box, operation);
    await boxes.unpause(box, operation);
    await service.container.resolve(BoxChanges).rename(box, 'other');
    await boxes.stop(box, { graceMs: 0 });
    await boxes.remove(box, { force: false });
    const life = ['create', 'start', 'die', 'start', 'pause', 'unpause', 'rename', 'kill', 'die', 'stop', 'destroy'];
    // The guest may tell of the end before it has answered the signal.
    assert.deepEqual(
      actions().filter((action) => action !== 'kill'),
      life.filter((action) => action !== 'kill'),
    );
    assert.equal(actions().filter((action) => action === 'kill').length, 1);
    assert.ok(commits >= 10, String(commits));
  });

  it('tell of the end of a box that goes with it, and of one that a force removes, which nobody stopped', async () => {
    const { boxes } = service;
    const one = await boxes.run(spec({ autoRemove: true }), { ...operation, prepare: async () => {} });
    await (await hypervisor.vm()).workloadExits({ code: 7, outOfMemory: true });
    await one.ended;
    assert.deepEqual(actions(), ['create', 'start', 'oom', 'die', 'destroy']);
    const two = await boxes.run(spec(), { ...operation, prepare: async () => {} });
    await boxes.remove(two, { force: true });
    assert.deepEqual(
      actions()
        .slice(5)
        .filter((action) => action !== 'kill'),
      ['create', 'start', 'die', 'destroy'],
    );
  });

  it('tell nothing of a start that came to nothing', async () => {
    hypervisor.refuseStart = { code: 5, details: 'no such command: nope' };
    await assert.rejects(service.boxes.run(spec(), { ...operation, prepare: async () => {} }));
    assert.deepEqual(actions(), ['create', 'destroy']);
    const kept = await service.boxes.create(spec(), operation);
    await assert.rejects(service.boxes.start(kept));
    assert.deepEqual(actions().slice(2), ['create']);
    hypervisor.refuseStart = undefined;
    await service.boxes.start(kept);
    assert.deepEqual(actions().slice(2), ['create', 'start']);
  });

  it('tell once of an end that the next supervisor finds', async () => {
    const { boxes } = service;
    const box = await boxes.run(spec(), { ...operation, prepare: async () => {} });
    const vm = await hypervisor.vm();
    await boxes.leave();
    await service[Symbol.asyncDispose]();
    await vm.end({ kind: 'unknown' });
    service = await fakeBoxService(layout, hypervisor);
    assert.deepEqual(actions(), ['create', 'start', 'die']);
    const { attributes } = reader?.prepare("SELECT attributes FROM events WHERE action = 'die'").get() ?? {};
    assert.equal((JSON.parse(attributes as string) as { exitCode: string }).exitCode, 'unknown');
    assert.equal(service.boxes.find(box.id).state.kind, 'dead');
  });

  it('say that a restart was one', async () => {
    const box = await service.boxes.run(spec(), { ...operation, prepare: async () => {} });
    await service.boxes.restart(box, { graceMs: 0 });
    assert.deepEqual(
      actions().filter((action) => action !== 'kill'),
      ['create', 'start', 'die', 'stop', 'start', 'restart'],
    );
    await service.boxes.stop(box, { graceMs: 0 });
    await service.boxes.start(box);
    assert.deepEqual(actions().slice(-1), ['start']);
  });
});
