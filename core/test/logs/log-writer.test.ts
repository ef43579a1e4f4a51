import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogWriter } from '../../dist/logs/log-writer.js';
import { chunk, linesOf, recordsOf } from './log-samples.ts';

const SMALL = { maxFileBytes: 4096, maxFiles: 3 };

describe('LogWriter', function () {
  this.timeout(30_000);
  let parent: string;
  let directory: string;
  let writers: LogWriter[];

  async function open(limits = { maxFileBytes: 1 << 20, maxFiles: 3 }): Promise<LogWriter> {
    const writer = await LogWriter.open(directory, limits);
    writers.push(writer);
    return writer;
  }

  /** Appends numbered lines of stdout, ten bytes each, in chunks of ten. */
  async function appendLines(writer: LogWriter, count: number): Promise<void> {
    const first = Number(writer.resume.stdout) / 10;
    const lines = Array.from({ length: count }, (_, index) => `${String(first + index).padStart(9, '0')}\n`);
    for (let line = 0; line < count; line += 10) {
      await writer.append(chunk('stdout', (first + line) * 10, lines.slice(line, line + 10).join('')));
    }
  }

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'log'));
    directory = join(parent, 'deep', 'log');
    writers = [];
  });
  afterEach(async () => {
    for (const writer of writers) await writer.close();
    rmSync(parent, { recursive: true });
  });

  it('makes nothing before the first append, then a private directory and file', async () => {
    const writer = await open();
    assert.ok(!existsSync(directory));
    await writer.append(chunk('stdout', 0, 'a\n'));
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, 'box.log')).mode & 0o777, 0o600);
  });

  it('has written what an append resolved for, unfinished lines too', async () => {
    const writer = await open();
    await writer.append(chunk('stdout', 0, 'a\nb'));
    await writer.append(chunk('stderr', 0, 'c\n'));
    await writer.append(chunk('stdout', 3, 'd\n'));
    assert.deepEqual(await linesOf(directory), ['o:a\n', 'o:b', 'e:c\n', 'o:d\n']);
    assert.deepEqual(writer.resume, { stdout: 5n, stderr: 2n });
  });

  it('keeps the order of appends that were not waited for', async () => {
    const writer = await open();
    const texts = Array.from({ length: 500 }, (_, index) => `${index}\n`);
    let offset = 0;
    await Promise.all(
      texts.map((text) => {
        const appended = writer.append(chunk('stdout', offset, text));
        offset += text.length;
        return appended;
      }),
    );
    assert.deepEqual(
      await linesOf(directory),
      texts.map((text) => `o:${text}`),
    );
    assert.ok(writer.version < 10, `many were written together, in ${writer.version} writes`);
  });

  it('skips what was appended before, in whole and in part', async () => {
    const writer = await open();
    await writer.append(chunk('stdout', 0, 'a\nb\n'));
    await writer.append(chunk('stdout', 0, 'a\nb\n'));
    await writer.append(chunk('stdout', 2, 'b\nc\n'));
    assert.deepEqual(await linesOf(directory), ['o:a\n', 'o:b\n', 'o:c\n']);
  });

  it('refuses a chunk that leaves a gap, by both offsets, and no other', async () => {
    const writer = await open();
    const results = await Promise.allSettled([
      writer.append(chunk('stdout', 0, 'a\n')),
      writer.append(chunk('stdout', 5, 'b\n')),
      writer.append(chunk('stdout', 2, 'c\n')),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    const { reason } = results[1] as PromiseRejectedResult;
    assert.equal(reason.code, 'INTERNAL');
    assert.match(reason.message, /stdout goes on at offset 5, but was written up to 2$/);
    assert.deepEqual(await linesOf(directory), ['o:a\n', 'o:c\n']);
  });

  it('goes on where it was after it was closed, and cuts off a torn line', async () => {
    const first = await open();
    await first.append(chunk('stderr', 0, 'e\n'));
    await first.append(chunk('stdout', 0, 'a\nb\n'));
    await first.close();
    appendFileSync(join(directory, 'box.log'), '{"log":"torn","stream":"std');
    const second = await open();
    assert.deepEqual(second.resume, { stdout: 4n, stderr: 2n });
    await second.append(chunk('stdout', 4, 'c\n'));
    assert.deepEqual(await linesOf(directory), ['e:e\n', 'o:a\n', 'o:b\n', 'o:c\n']);
  });

  it('writes what was appended before it closes, and takes no more', async () => {
    const writer = await open();
    const appended = writer.append(chunk('stdout', 0, 'a\n'));
    await Promise.all([writer.close(), writer.close()]);
    await appended;
    assert.deepEqual(await linesOf(directory), ['o:a\n']);
    await assert.rejects(writer.append(chunk('stdout', 2, 'b\n')), { code: 'CONFLICT' });
  });

  it('keeps within its limits, and all that is within them', async () => {
    const writer = await open(SMALL);
    await appendLines(writer, 300);
    assert.deepEqual(readdirSync(directory).sort(), ['box.log', 'box.log.1', 'box.log.2']);
    for (const name of readdirSync(directory)) assert.ok(statSync(join(directory, name)).size <= 4096);
    const records = await recordsOf(directory);
    assert.ok(records.length > 60, `${records.length} lines`);
    records.forEach(({ data }, index) => assert.equal(Number(data), 300 - records.length + index));
  });

  it('keeps within the limits with output of which every byte is escaped', async () => {
    const writer = await open(SMALL);
    const data = Buffer.alloc(100_000);
    await writer.append(chunk('stdout', 0, data));
    for (const name of readdirSync(directory)) assert.ok(statSync(join(directory, name)).size <= 4096);
    const records = await recordsOf(directory);
    assert.equal(records.at(-1)?.offset, BigInt(data.length - records.at(-1)!.data.length));
  });

  for (const maxFiles of [1, 2]) {
    it(`knows the offset of a stream whose output was rotated away (${maxFiles} files)`, async () => {
      const writer = await open({ maxFileBytes: 4096, maxFiles });
      await writer.append(chunk('stderr', 0, 'once\n'));
      await appendLines(writer, 200);
      await writer.close();
      assert.ok(!readFileSync(join(directory, 'box.log'), 'utf8').includes('once'));
      const again = await open();
      assert.deepEqual(again.resume, { stdout: 2000n, stderr: 5n });
    });
  }

  it('takes files away when fewer are to be kept', async () => {
    await appendLines(await open({ maxFileBytes: 4096, maxFiles: 5 }), 300);
    await writers[0]!.close();
    assert.equal(readdirSync(directory).length, 5);
    await appendLines(await open({ maxFileBytes: 4096, maxFiles: 2 }), 100);
    assert.deepEqual(readdirSync(directory).sort(), ['box.log', 'box.log.1']);
  });

  it('notes a silent stream now and then, so that recovery does not read far', async () => {
    const writer = await open({ maxFileBytes: 1 << 24, maxFiles: 2 });
    const data = 'x'.repeat(999) + '\n';
    for (let line = 0; line < 3000; line++) await writer.append(chunk('stdout', line * 1000, data));
    const lines = readFileSync(join(directory, 'box.log'), 'utf8').trim().split('\n');
    const notes = lines.filter((line) => line.includes('"stderr"')).map((line) => JSON.parse(line));
    assert.deepEqual(
      notes.map(({ log, offset }) => [log, offset]),
      [
        ['', 0],
        ['', 0],
        ['', 0],
      ],
    );
  });

  it('says which limits and directories will not do', async () => {
    await assert.rejects(LogWriter.open(directory, { maxFileBytes: 4095, maxFiles: 1 }), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(LogWriter.open(directory, { maxFileBytes: 4096, maxFiles: 0 }), { code: 'INVALID_ARGUMENT' });
    appendFileSync(join(parent, 'deep'), 'a file');
    await assert.rejects(LogWriter.open(directory), { code: 'INTERNAL', message: /open failed: ENOTDIR/ });
  });
});
