import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ConsoleLog } from '../dist/console-log.js';
import { DescriptorTable } from '../dist/descriptor-table.js';

const KEPT = 128 * 1024;

describe('console log', () => {
  let directory: string;
  let table: DescriptorTable;
  let writer: number;
  let log: ConsoleLog;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'console-'));
    table = new DescriptorTable();
    ({ log } = ConsoleLog.create(directory, table));
    // As the VMM has it: the host's own ends are gone once it runs.
    writer = openSync(join(directory, 'console'), constants.O_WRONLY);
    table[Symbol.dispose]();
  });
  afterEach(async () => {
    closeSync(writer);
    log.close();
    await log.ended;
    rmSync(directory, { recursive: true });
  });

  async function shown(text: string): Promise<void> {
    while (!log.tail(KEPT).endsWith(text)) await setImmediate();
  }

  it('gives the end of what was written', async () => {
    writeSync(writer, 'one two three');
    await shown('three');
    assert.equal(log.tail(5), 'three');
    assert.equal(log.tail(1000), 'one two three');
  });

  it('replaces what is no UTF-8', async () => {
    writeSync(writer, Buffer.from([0x61, 0xff, 0x62]));
    await shown('b');
    assert.equal(log.tail(3), 'a\ufffdb');
  });

  it('goes on while the disk is full, and keeps all of it afterwards', async () => {
    const file = join(directory, 'console.log');
    symlinkSync('/dev/full', file);
    writeSync(writer, 'lost, ');
    await shown('lost, ');
    writeSync(writer, 'and ');
    await shown('and ');
    rmSync(file);
    writeSync(writer, 'found');
    await shown('found');
    assert.equal(readFileSync(file, 'utf8'), 'lost, and found');
    writeSync(writer, ' again');
    await shown('again');
    assert.equal(readFileSync(file, 'utf8'), 'lost, and found again');
  });

  it('keeps its bounds whatever the guest writes', async function () {
    this.timeout(20_000);
    for (let round = 0; round < 64; round++) {
      const end = `end of ${round}`;
      writeSync(writer, `${'x'.repeat(32 * 1024)}${end}`);
      await shown(end);
    }
    const kept = log.tail(64 * 1024 * 1024).length;
    assert.ok(kept >= KEPT && kept <= 2 * KEPT, `${kept} bytes in memory`);
    const { size, mode } = statSync(join(directory, 'console.log'));
    assert.ok(size >= KEPT && size <= 2 * KEPT, `${size} bytes in the file`);
    assert.equal(mode & 0o777, 0o600);
  });

  it('goes on where an earlier host stopped', async () => {
    writeSync(writer, 'before ');
    await shown('before ');
    const spare = openSync(join(directory, 'console'), constants.O_RDONLY | constants.O_NONBLOCK);
    log.close();
    await log.ended;
    writeSync(writer, 'between ');
    log = ConsoleLog.resume(directory);
    closeSync(spare);
    writeSync(writer, 'after');
    await shown('after');
    assert.equal(log.tail(100), 'before between after');
  });

  it('ends when the VMM has closed its end', async () => {
    writeSync(writer, 'last words');
    closeSync(writer);
    await log.ended;
    assert.equal(log.tail(100), 'last words');
    writer = openSync('/dev/null', 'w');
  });
});
