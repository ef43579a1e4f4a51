import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LostOutput } from '../../dist/logs/log-problems.js';
import { readLog } from '../../dist/logs/log-reader.js';
import { LogWriter } from '../../dist/logs/log-writer.js';
import { chunk, linesOf, NOON_NS, silentLogger } from './log-samples.ts';

describe('readLog with follow', function () {
  this.timeout(30_000);
  let directory: string;
  let writer: LogWriter;
  let offset: number;

  const append = (text: string) => {
    const appended = writer.append(chunk('stdout', offset, text));
    offset += text.length;
    return appended;
  };

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'log'));
    writer = await LogWriter.open(directory, { maxFileBytes: 4096, maxFiles: 3 });
    offset = 0;
  });
  afterEach(async () => {
    await writer.close();
    rmSync(directory, { recursive: true });
  });

  it('reads what is there, then what comes, to the end of the log', async () => {
    await append('a\n');
    const reader = readLog(directory, { logger: silentLogger, follow: writer });
    assert.equal(String((await reader.next()).value?.data), 'a\n');
    const second = reader.next();
    await append('b\n');
    assert.equal(String((await second).value?.data), 'b\n');
    const third = reader.next();
    writer.end();
    assert.equal((await third).done, true);
  });

  it('waits for a log that is not there yet, and ends when its writer closes', async () => {
    const lines = linesOf(directory, { follow: writer });
    await append('a\n');
    await writer.close();
    assert.deepEqual(await lines, ['o:a\n']);
    assert.deepEqual(await linesOf(directory, { follow: writer }), ['o:a\n']);
  });

  it('starts at the end with a tail of 0', async () => {
    await append('a\nb\n');
    const reader = readLog(directory, { logger: silentLogger, follow: writer, tail: 0 });
    const first = reader.next();
    await append('c\n');
    assert.equal(String((await first).value?.data), 'c\n');
    await reader.return();
  });

  it('reads every line once over many rotations, when it is as fast as the writer', async () => {
    const reader = readLog(directory, { logger: silentLogger, follow: writer });
    for (let line = 0; line < 1000; line++) {
      const next = reader.next();
      await append(`${line}\n`);
      assert.equal(Number((await next).value?.data), line);
    }
    await reader.return();
  });

  it('shows all that still exists when it is slower than rotation, and says what does not', async () => {
    const lost: LostOutput[] = [];
    const reader = readLog(directory, { logger: silentLogger, follow: writer, onLost: (output) => lost.push(output) });
    const text = (line: number) => `${String(line).padStart(7, '0')}\n`;
    await append(text(0));
    assert.equal(String((await reader.next()).value?.data), text(0));
    for (let line = 1; line < 500; line++) await append(text(line));
    const kept = await linesOf(directory);
    writer.end();
    const read: number[] = [];
    for await (const { data } of reader) read.push(Number(data));
    assert.equal(lost.length, 1);
    const [{ offset: from, bytes }] = lost as [LostOutput];
    // The file that it holds is read to its end, though it has no name any more.
    assert.deepEqual(
      read.slice(0, Number(from) / 8 - 1),
      Array.from({ length: Number(from) / 8 - 1 }, (_, index) => index + 1),
    );
    assert.deepEqual(
      read.slice(Number(from) / 8 - 1).map((line) => `o:${text(line)}`),
      kept,
    );
    assert.equal(read.length + 1 + Number(bytes) / 8, 500);
  });

  it('ends without an error when it is aborted', async () => {
    const abort = new AbortController();
    const lines = linesOf(directory, { follow: writer, signal: abort.signal });
    await append('a\n');
    setImmediate(() => abort.abort());
    await lines;
  });

  it('ends when the time to read until has come', async () => {
    await append('a\n');
    const inPast = await linesOf(directory, { follow: writer, untilNs: NOON_NS - 1n });
    assert.deepEqual(inPast, []);
    const soon = BigInt(Date.now() + 30) * 1_000_000n;
    await writer.append(chunk('stderr', 0, 'b\n', soon - 1n));
    assert.deepEqual(await linesOf(directory, { follow: writer, untilNs: soon }), ['o:a\n', 'e:b\n']);
    assert.ok(BigInt(Date.now()) * 1_000_000n >= soon);
  });

  it('starts again with a file that somebody emptied', async () => {
    const reader = readLog(directory, { logger: silentLogger, follow: writer });
    await append('first line\n');
    assert.equal(String((await reader.next()).value?.data), 'first line\n');
    truncateSync(join(directory, 'box.log'));
    const next = reader.next();
    await append('second\n');
    assert.equal(String((await next).value?.data), 'second\n');
    await reader.return();
  });
});
