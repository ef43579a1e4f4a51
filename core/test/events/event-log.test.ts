import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventLog, KEPT_EVENTS } from '../../dist/events/event-log.js';
import { boundedLabels, commandText, type KeptEvent, type NewEvent } from '../../dist/events/event.js';
import { eventTest } from '../../dist/events/event-filter.js';
import { StateDatabase } from '../../dist/state/state-database.js';
import type { Logger } from '../../dist/index.js';

const warnings: string[] = [];
const logger: Logger = {
  debug() {},
  info() {},
  warn: (_fields, message) => void warnings.push(String(message)),
  error() {},
  child: () => logger,
};

const event = (action: string, over: Partial<NewEvent> = {}): NewEvent => ({
  type: 'container',
  action,
  actor: 'abc'.padEnd(64, '0'),
  attributes: { image: 'a3s/starter:1', name: 'web', tier: 'front' },
  ...over,
});

describe('the log of events', () => {
  let directory: string;
  let database: StateDatabase;
  let log: EventLog;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'e'));
    database = StateDatabase.open(join(directory, 'state.db'));
    log = new EventLog(database, logger);
  });
  afterEach(async () => {
    database[Symbol.dispose]();
    await rm(directory, { recursive: true });
  });

  const { signal } = new AbortController();

  async function all(options: Partial<Parameters<EventLog['read']>[0]> = {}): Promise<KeptEvent[]> {
    const untilNs = BigInt(Date.now()) * 1_000_000n;
    return (await Array.fromAsync(log.read({ sinceNs: 0n, untilNs, signal, ...options }))).flat();
  }
  const actions = (events: readonly KeptEvent[]) => events.map(({ action }) => action);

  it('keeps events with the transaction that tells of them, and loses them with it', async () => {
    database.transaction(() => log.note(event('create')));
    const failing = () =>
      database.transaction(() => {
        log.note(event('start'));
        throw new RangeError('no');
      });
    assert.throws(failing, RangeError);
    log.tell(event('die'));
    assert.deepEqual(actions(await all()), ['create', 'die']);
  });

  it('tells what happens to those who wait, also to one that is slow, and nothing of what was taken back', async () => {
    log.tell(event('before'));
    const reader = log.read({ signal });
    const first = reader.next();
    log.tell(event('one'));
    assert.deepEqual(actions((await first).value ?? []), ['one']);
    log.tell(event('two'));
    log.tell(event('three'));
    assert.deepEqual(actions((await reader.next()).value ?? []), ['two', 'three']);
    const last = reader.next();
    assert.throws(() =>
      database.transaction(() => {
        log.note(event('undone'));
        throw new RangeError('no');
      }),
    );
    log.tell(event('done'));
    assert.deepEqual(actions((await last).value ?? []), ['done']);
    await reader.return();
  });

  it('ends at its time, and with its signal', async () => {
    const soon = BigInt(Date.now() + 30) * 1_000_000n;
    const reading = all({ sinceNs: undefined, untilNs: soon });
    log.tell(event('in time'));
    assert.deepEqual(actions(await reading), ['in time']);
    const given = new AbortController();
    const waiting = log.read({ signal: given.signal }).next();
    given.abort(new RangeError('enough'));
    await assert.rejects(waiting, /enough/);
  });

  it('keeps only the newest, and says so to a reader that missed some', async () => {
    const reader = log.read({ sinceNs: 0n, signal });
    log.tell(event('first'));
    await reader.next();
    database.transaction(() => {
      for (let i = 0; i < Number(KEPT_EVENTS) + 500; i++) log.note(event(`e${i}`));
    });
    await assert.rejects(reader.next(), { code: 'LIMIT_EXCEEDED', message: /were removed before/ });
    const kept = await all();
    assert.ok(kept.length >= Number(KEPT_EVENTS) && kept.length < Number(KEPT_EVENTS) + 128, String(kept.length));
    assert.equal(kept.at(-1)?.action, `e${Number(KEPT_EVENTS) + 499}`);
  });

  it('goes on counting where a process before it ended', async () => {
    log.tell(event('one'));
    database[Symbol.dispose]();
    database = StateDatabase.open(join(directory, 'state.db'));
    log = new EventLog(database, logger);
    log.tell(event('two'));
    assert.deepEqual(
      (await all()).map(({ sequence, action }) => [sequence, action]),
      [
        [1n, 'one'],
        [2n, 'two'],
      ],
    );
  });

  for (const [filters, passes] of [
    [['event=exec_create'], true],
    [['event=exec_create: ls'], true],
    [['event=start'], false],
    [['event=start', 'event=exec_create'], true],
    [['container=we'], true],
    [['container=abc0'], true],
    [['container=other'], false],
    [['image=a3s/starter'], true],
    [['image=a3s/starter:1'], true],
    [['image=a3s/starter:2'], false],
    [['type=container', 'label=tier=front'], true],
    [['label=tier', 'label=other'], false],
    [['type=volume'], false],
    [['volume=web'], false],
    [['scope=local'], true],
  ] as const) {
    it(`${passes ? 'passes' : 'keeps out'} with ${filters.join(' ')}`, () => {
      const test = eventTest(
        filters.map((text) => ({ name: text.split('=')[0]!, value: text.slice(text.indexOf('=') + 1) })),
      );
      assert.equal(test(event('exec_create: ls')), passes);
    });
  }

  it('refuses filters that there are not', () => {
    assert.throws(() => eventTest([{ name: 'daemon', value: 'x' }]), { code: 'INVALID_ARGUMENT', message: /daemon/ });
    assert.throws(() => eventTest([{ name: 'constructor', value: 'x' }]), { code: 'INVALID_ARGUMENT' });
  });

  it('bounds what one event holds', () => {
    const labels = { a: 'x'.repeat(4000), b: 'y'.repeat(4000), c: 'z' };
    assert.deepEqual(Object.keys(boundedLabels(labels)), ['a']);
    assert.equal(commandText(['sh', '-c', 'x'.repeat(1000)]).length, 256);
  });
});
