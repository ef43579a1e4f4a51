import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Ledger } from '../../dist/state/ledger.js';
import { StateDatabase } from '../../dist/state/state-database.js';

describe('StateDatabase', () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'd'));
    path = join(directory, 'state.db');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is readable by its owner alone, and keeps what was committed', async () => {
    {
      using database = StateDatabase.open(path);
      database.transaction(() => new Ledger(database).add('box', { kind: 'directory', path: '/d' }));
    }
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    using database = StateDatabase.open(path);
    const [entry] = new Ledger(database).list();
    assert.deepEqual(entry?.resource, { kind: 'directory', path: '/d' });
  });

  it('undoes a transaction that fails', () => {
    using database = StateDatabase.open(path);
    const ledger = new Ledger(database);
    const failing = () =>
      database.transaction(() => {
        ledger.add('box', { kind: 'exec', id: '1' });
        throw new RangeError('no');
      });
    assert.throws(failing, RangeError);
    assert.deepEqual(ledger.list(), []);
  });

  it('takes entries out one by one, by kind and by box', () => {
    using database = StateDatabase.open(path);
    const ledger = new Ledger(database);
    const first = ledger.add('a', { kind: 'exec', id: '1' });
    ledger.add('a', { kind: 'exec', id: '2' });
    ledger.add('a', { kind: 'vmm', process: { pid: 1, startTime: '2' } });
    ledger.add('b', { kind: 'exec', id: '3' });
    ledger.remove('a', { sequence: first });
    assert.equal(ledger.list('a').length, 2);
    ledger.remove('a', { kind: 'vmm' });
    assert.deepEqual(
      ledger.list('a').map(({ resource }) => resource),
      [{ kind: 'exec', id: '2' }],
    );
    ledger.remove('a');
    assert.deepEqual(
      ledger.list().map(({ box }) => box),
      ['b'],
    );
  });

  for (const [damage, spoil] of [
    ['overwritten', () => Buffer.alloc(8192, 'x')],
    ['cut off', (whole: Buffer) => whole.subarray(0, whole.length - 6000)],
    [
      'flipped in its middle',
      (whole: Buffer) => Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(64, 0xff), whole.subarray(4160)]),
    ],
  ] as const) {
    it(`refuses a database that was ${damage}, and leaves it as it is`, async () => {
      StateDatabase.open(path)[Symbol.dispose]();
      const spoilt = spoil(await readFile(path));
      await writeFile(path, spoilt);
      assert.throws(() => StateDatabase.open(path), { code: 'STATE_CORRUPT', message: new RegExp(path) });
      assert.ok(spoilt.equals(await readFile(path)));
    });
  }

  it('refuses a database of a newer version', () => {
    StateDatabase.open(path)[Symbol.dispose]();
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    assert.throws(() => StateDatabase.open(path), { code: 'HOME_UNUSABLE', message: /newer/ });
  });
});
