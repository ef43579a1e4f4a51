import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../../dist/index.js';
import { copyDisk } from '../../dist/snapshots/copy-disk.js';
import { SnapshotStore, type SnapshotDraft } from '../../dist/snapshots/snapshot-store.js';
import { Ledger } from '../../dist/state/ledger.js';
import { Reaper } from '../../dist/state/reaper.js';
import { EventLog } from '../../dist/events/event-log.js';
import { StateDatabase } from '../../dist/state/state-database.js';
import { HomeLayout } from '../../dist/store/home-layout.js';

const problems: string[] = [];
const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (_fields, message) => void problems.push(message),
  child: () => logger,
};
const draft = (digit: string, name: string, createdNs = 1n): SnapshotDraft => ({
  id: digit.repeat(64),
  name,
  box: { id: 'b'.repeat(64), name: 'web' },
  imageId: `sha256:${'c'.repeat(64)}`,
  spec: { image: 'x', environment: [], terminal: false, stdinOpen: false, autoRemove: false, labels: {} },
  createdNs,
  running: false,
});

describe('snapshots', () => {
  let home: string;
  let database: StateDatabase;
  let ledger: Ledger;
  let reaper: Reaper;
  let store: SnapshotStore;
  beforeEach(() => {
    problems.length = 0;
    home = fs.mkdtempSync(join(tmpdir(), 'snapshots-'));
    database = StateDatabase.open(join(home, 'state.db'));
    ledger = new Ledger(database);
    reaper = new Reaper(database, ledger, logger);
    store = new SnapshotStore(new HomeLayout(home), database, ledger, reaper, new EventLog(database, logger), logger);
  });
  afterEach(() => {
    database[Symbol.dispose]();
    fs.rmSync(home, { recursive: true });
  });
  const copy = async (disk: string) => {
    fs.writeFileSync(disk, 'disk');
    return true;
  };

  it('are found by name, id and the beginning of it, newest first', async () => {
    const [one, two] = [draft('1', 'one'), draft('2', 'two', 2n)];
    for (const each of [one, two]) await store.make(each, copy);
    assert.deepEqual(await store.list(), [
      { ...two, shared: true },
      { ...one, shared: true },
    ]);
    for (const reference of ['one', one.id, '11']) assert.equal((await store.find(reference)).name, 'one');
    await assert.rejects(store.find('3'), { code: 'NOT_FOUND' });
    await store.make(
      draft('1', 'twin').id === one.id ? { ...draft('1', 'twin'), id: `1${'0'.repeat(63)}` } : one,
      copy,
    );
    await assert.rejects(store.find('1'), { code: 'AMBIGUOUS_REFERENCE' });
    assert.deepEqual(ledger.list(), []);
  });

  it('leave nothing when they fail', async () => {
    const failing = store.make(draft('1', 'one'), async (disk) => {
      fs.writeFileSync(disk, 'half');
      throw new Error('no');
    });
    await assert.rejects(failing, /no/);
    assert.deepEqual([fs.readdirSync(join(home, 'snapshots')), ledger.list()], [[], []]);
  });

  it('that were cut off are not listed, and freed by who comes next', async () => {
    const begun = Promise.withResolvers<void>();
    void store.make(draft('1', 'one'), async (disk) => {
      fs.writeFileSync(disk, 'half');
      begun.resolve();
      return new Promise(() => {});
    });
    await begun.promise;
    assert.deepEqual(await store.list(), []);
    await reaper.reapUnowned(() => false);
    assert.deepEqual([fs.readdirSync(join(home, 'snapshots')), ledger.list()], [[], []]);
  });

  it('go with all that is theirs', async () => {
    const { id } = await store.make(draft('1', 'one'), copy);
    await store.remove(id);
    assert.deepEqual([await store.list(), fs.readdirSync(join(home, 'snapshots')), ledger.list()], [[], [], []]);
  });

  it('that are damaged are left out, and said to be', async () => {
    const { id } = await store.make(draft('1', 'one'), copy);
    for (const text of ['{', '{"version": 2}', '[]']) {
      fs.writeFileSync(join(home, 'snapshots', id, 'snapshot.json'), text);
      assert.deepEqual(await store.list(), []);
    }
    assert.equal(problems.length, 3);
  });
});

describe('a copy of a disk', () => {
  let home: string;
  beforeEach(() => (home = fs.mkdtempSync(join(tmpdir(), 'copy-'))));
  afterEach(() => fs.rmSync(home, { recursive: true }));
  const { signal } = new AbortController();

  it('has the same data and the same holes', async () => {
    const [from, to] = [join(home, 'from'), join(home, 'to')];
    fs.writeFileSync(from, '');
    fs.truncateSync(from, 2 ** 33);
    const file = fs.openSync(from, 'r+');
    for (const at of [0, 2 ** 20 + 7, 2 ** 32]) fs.writeSync(file, Buffer.alloc(5000, at % 251), 0, 5000, at);
    fs.closeSync(file);
    assert.match(await copyDisk(from, to, signal), /^(shared|copied)$/);
    assert.equal(fs.statSync(to).size, 2 ** 33);
    assert.ok(fs.statSync(to).blocks < 1000);
    const copied = fs.openSync(to, 'r');
    for (const at of [0, 2 ** 20 + 7, 2 ** 32]) {
      const read = Buffer.alloc(5001);
      fs.readSync(copied, read, 0, 5001, at);
      assert.deepEqual(read, Buffer.concat([Buffer.alloc(5000, at % 251), Buffer.alloc(1)]));
    }
    fs.closeSync(copied);
  });

  it('leaves nothing when it is given up, and nothing of another', async () => {
    const [from, to] = [join(home, 'from'), join(home, 'to')];
    fs.writeFileSync(from, 'data');
    const aborted = copyDisk(from, to, AbortSignal.abort(new Error('enough')));
    // Where disks are shared there is nothing to give up.
    await aborted.then(
      (how) => assert.equal(how, 'shared'),
      (error: Error) => assert.equal(error.message, 'enough'),
    );
    fs.writeFileSync(join(home, 'there'), 'kept');
    await assert.rejects(copyDisk(from, join(home, 'there'), signal), { code: 'EEXIST' });
    assert.equal(fs.readFileSync(join(home, 'there'), 'utf8'), 'kept');
  });
});
