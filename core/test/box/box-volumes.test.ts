import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxVolumes, type AttachedVolumes } from '../../dist/box/box-volumes.js';
import { BoxError } from '../../dist/index.js';
import { BoxTable } from '../../dist/state/box-table.js';
import { Ledger } from '../../dist/state/ledger.js';
import { Reaper } from '../../dist/state/reaper.js';
import { StateDatabase } from '../../dist/state/state-database.js';
import { EventLog } from '../../dist/events/event-log.js';
import { HomeLayout } from '../../dist/store/home-layout.js';
import type { VolumeMount } from '../../dist/volumes/volume-mount.js';
import { VolumeRecords } from '../../dist/volumes/volume-records.js';
import { VolumeService } from '../../dist/volumes/volume-service.js';
import { VolumeTable } from '../../dist/volumes/volume-table.js';
import { silentLogger } from '../logs/log-samples.ts';

const GIB = 2 ** 30;

describe('the volumes of boxes', () => {
  let home: string;
  let database: StateDatabase;
  let volumes: VolumeService;
  let boxes: BoxVolumes;
  let records: VolumeRecords;

  beforeEach(() => {
    home = fs.mkdtempSync(join(tmpdir(), 'box-volumes-'));
    database = StateDatabase.open(join(home, 'state.db'));
    const layout = new HomeLayout(home);
    const ledger = new Ledger(database);
    const table = new BoxTable(database);
    const events = new EventLog(database, silentLogger);
    records = new VolumeRecords(database, new VolumeTable(database), table, ledger, layout, events);
    volumes = new VolumeService(records, new Reaper(database, ledger, silentLogger), layout);
    // Without a file server a start comes to nothing once its volumes are there.
    const program = { find: () => Promise.reject(new BoxError('BACKEND_UNAVAILABLE', 'no file server')) };
    boxes = new BoxVolumes(volumes, records, table, layout, program, silentLogger);
  });
  afterEach(() => {
    database[Symbol.dispose]();
    fs.rmSync(home, { recursive: true });
  });

  const attach = (
    digit: string,
    mount: Partial<VolumeMount> = {},
    giveUp?: () => Promise<void>,
  ): Promise<AttachedVolumes | undefined> => {
    const data: VolumeMount = { kind: 'volume', source: 'data', target: '/data', readOnly: false, ...mount };
    const owner = { id: digit.repeat(64), image: { id: 'x' }, spec: { volumes: [data] } };
    return boxes.attach(owner, { onLaunch: () => assert.fail('nothing is to run'), ...(giveUp && { giveUp }) });
  };
  const fillOf = (attached: AttachedVolumes | undefined): string | undefined => attached?.guest[0]?.fillFrom;

  it('hold on to files that were there before a start that came to nothing', async () => {
    const { mountpoint } = await volumes.create({ name: 'data', labels: {} });
    fs.writeFileSync(join(mountpoint, 'mine'), 'kept');
    for (const digit of ['1', '2']) await assert.rejects(attach(digit), { code: 'BACKEND_UNAVAILABLE' });
    assert.equal(fs.readFileSync(join(mountpoint, 'mine'), 'utf8'), 'kept');
  });

  it('lose what a fill has left that was cut off', async () => {
    const { mountpoint } = await volumes.create({ name: 'data', labels: {} });
    await assert.rejects(attach('1'), { code: 'BACKEND_UNAVAILABLE' });
    fs.writeFileSync(join(mountpoint, 'half'), 'of it');
    await assert.rejects(attach('2'), { code: 'BACKEND_UNAVAILABLE' });
    assert.deepEqual(fs.readdirSync(mountpoint), []);
  });

  it('hold on to a disk that a box has written to, whatever becomes of the next start', async () => {
    const { mountpoint } = await volumes.create({ name: 'data', labels: {}, sizeBytes: GIB });
    const first = await attach('1', { noCopy: true });
    first?.filled();
    await first?.release();
    fs.appendFileSync(mountpoint, 'written');
    for (const digit of ['2', '3']) {
      const next = await attach(digit);
      assert.equal(fillOf(next), '');
      await next?.release();
    }
    assert.equal(fs.statSync(mountpoint).size, GIB + 'written'.length);
  });

  it('fill a new disk once, and begin anew after a start that came to nothing', async () => {
    const { mountpoint } = await volumes.create({ name: 'data', labels: {}, sizeBytes: GIB });
    const cut = await attach('1');
    assert.equal(fillOf(cut), '/data');
    await cut?.release();
    const before = fs.statSync(mountpoint, { bigint: true }).mtimeNs;
    const whole = await attach('2');
    assert.equal(fillOf(whole), '/data');
    assert.ok(fs.statSync(mountpoint, { bigint: true }).mtimeNs > before);
    whole?.filled();
    await whole?.release();
    assert.equal(fillOf(await attach('3')), '');
  });

  it('take nothing from an image any more once another box, which does not fill them, writes to them', async () => {
    await volumes.create({ name: 'data', labels: {}, sizeBytes: GIB });
    const cut = await attach('1');
    await cut?.release();
    assert.equal(records.get('data').filling, 'begun');
    const other = await attach('2', { noCopy: true });
    other?.filled();
    await other?.release();
    assert.equal(fillOf(await attach('3')), '');
  });

  it('are given up by who only looks at files, and by nobody else, to a box that wants them', async () => {
    await volumes.create({ name: 'data', labels: {}, sizeBytes: GIB });
    let asked = 0;
    const looking = await attach('1', {}, async () => {
      asked++;
      await looking?.release();
    });
    const running = await attach('2');
    assert.deepEqual([asked, running?.disks.disk0?.readOnly], [1, false]);
    await assert.rejects(attach('3'), { code: 'CONFLICT', message: /in use by box 222222222222/ });
    await running?.release();
    const stubborn = await attach('4', {}, async () => void asked++);
    await assert.rejects(attach('5'), { code: 'CONFLICT', message: /in use by box 444444444444/ });
    assert.equal(asked, 2);
    await stubborn?.release();
  });

  it('are not begun while the files of another one of that name are being removed', async () => {
    const { mountpoint } = await volumes.create({ name: 'data', labels: {} });
    fs.writeFileSync(join(mountpoint, 'old'), '');
    const removal = volumes.remove('data');
    await assert.rejects(volumes.create({ name: 'data', labels: {} }), { code: 'CONFLICT', message: /being removed/ });
    await removal;
    await volumes.create({ name: 'data', labels: {} });
    assert.deepEqual(fs.readdirSync(mountpoint), []);
  });
});
