import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBoxError } from '../../dist/errors/box-error.js';
import type { LostOutput } from '../../dist/logs/log-problems.js';
import { readLog } from '../../dist/logs/log-reader.js';
import { LogWriter } from '../../dist/logs/log-writer.js';
import { bytesOf, chunk, linesOf, NOON_NS, recordsOf, silentLogger, warningsOf } from './log-samples.ts';

describe('readLog', function () {
  this.timeout(30_000);
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'log'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** Lines 0 to count-1 of stdout, one a second, over files of 4 KiB. */
  async function writeLines(count: number, maxFiles = 100): Promise<void> {
    const writer = await LogWriter.open(directory, { maxFileBytes: 4096, maxFiles });
    let offset = 0;
    for (let line = 0; line < count; line++) {
      const data = `${line}\n`;
      await writer.append(chunk('stdout', offset, data, NOON_NS + BigInt(line) * 1_000_000_000n));
      offset += data.length;
    }
    await writer.close();
  }
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `o:${from + index}\n`);

  it('reads nothing where there is no log', async () => {
    for (const options of [{}, { tail: 3 }]) {
      assert.deepEqual(await linesOf(join(directory, 'none'), options), []);
      assert.deepEqual(await linesOf(directory, options), []);
    }
  });

  it('reads all files in their order', async () => {
    await writeLines(500);
    assert.deepEqual(await linesOf(directory), numbers(0, 500));
  });

  it('reads the last lines, however many files they are in', async () => {
    await writeLines(500);
    for (const tail of [0, 1, 2, 39, 40, 41, 100, 499, 500, 501, 1_000_000]) {
      assert.deepEqual(await linesOf(directory, { tail }), numbers(Math.max(0, 500 - tail), 500), `tail ${tail}`);
    }
  });

  it('counts lines of both streams, and an unfinished last one', async () => {
    const writer = await LogWriter.open(directory);
    await writer.append(chunk('stdout', 0, 'one\ntwo-'));
    await writer.append(chunk('stdout', 8, 'two\n'));
    await writer.append(chunk('stderr', 0, 'three\n'));
    await writer.append(chunk('stdout', 12, 'four'));
    await writer.close();
    assert.deepEqual(await linesOf(directory, { tail: 1 }), ['o:four']);
    assert.deepEqual(await linesOf(directory, { tail: 2 }), ['e:three\n', 'o:four']);
    assert.deepEqual(await linesOf(directory, { tail: 3 }), ['o:two-', 'o:two\n', 'e:three\n', 'o:four']);
  });

  it('refuses a tail that is no number of lines', async () => {
    for (const tail of [-1, 1.5, NaN]) await assert.rejects(linesOf(directory, { tail }), { code: 'INVALID_ARGUMENT' });
  });

  it('reads what is from one time to another, both included, of the last lines where these are asked for', async () => {
    await writeLines(500);
    const sinceNs = NOON_NS + 450_000_000_000n;
    assert.deepEqual(await linesOf(directory, { sinceNs }), numbers(450, 500));
    assert.deepEqual(await linesOf(directory, { untilNs: sinceNs }), numbers(0, 451));
    assert.deepEqual(await linesOf(directory, { untilNs: sinceNs - 1n }), numbers(0, 450));
    assert.deepEqual(await linesOf(directory, { sinceNs: sinceNs + 1n }), numbers(451, 500));
    assert.deepEqual(await linesOf(directory, { sinceNs, untilNs: sinceNs + 2_000_000_000n }), numbers(450, 453));
    assert.deepEqual(await linesOf(directory, { sinceNs, tail: 10 }), numbers(490, 500));
    assert.deepEqual(await linesOf(directory, { untilNs: sinceNs, tail: 10 }), []);
  });

  it('ends without an error when it is aborted', async () => {
    await writeLines(100);
    const abort = new AbortController();
    let read = 0;
    for await (const record of readLog(directory, { logger: silentLogger, signal: abort.signal })) {
      assert.ok(record.data.length > 0);
      if (++read === 10) abort.abort();
    }
    assert.equal(read, 10);
    assert.deepEqual(await linesOf(directory, { signal: AbortSignal.abort() }), []);
  });

  it('reads blocks of long lines, binary and not', async () => {
    const writer = await LogWriter.open(directory, { maxFileBytes: 1 << 20, maxFiles: 100 });
    const data = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * index) % 251));
    await writer.append(chunk('stdout', 0, data));
    await writer.append(chunk('stderr', 0, 'ü'.repeat(500_000)));
    await writer.close();
    const records = await recordsOf(directory);
    assert.ok(records.every(({ data: part }) => part.length <= 16_384));
    assert.ok(bytesOf(records, 'stdout').equals(data));
    assert.equal(bytesOf(records, 'stderr').toString(), 'ü'.repeat(500_000));
  });

  it('leaves damaged lines out, and warns of them by file, place and what is missing', async () => {
    await writeLines(20);
    const path = join(directory, 'box.log');
    const lines = readFileSync(path, 'utf8').split('\n');
    const position = lines.slice(0, 5).join('\n').length + 1;
    lines.splice(5, 2, 'garbage', '\0\0\0');
    writeFileSync(path, lines.join('\n'));
    const { logger, warnings } = warningsOf();
    const lost: LostOutput[] = [];
    const read = await linesOf(directory, { logger, onLost: (output) => lost.push(output) });
    assert.deepEqual(read, [...numbers(0, 5), ...numbers(7, 20)]);
    assert.deepEqual(lost, [{ stream: 'stdout', offset: 10n, bytes: 4n }]);
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ['a damaged part of a log was left out', 'output is missing from the log'],
    );
    const { err } = warnings[0]!.fields;
    assert.ok(isBoxError(err));
    assert.equal(err.message, `log ${directory}: box.log has no record at byte ${position}`);
    assert.deepEqual(err.details, { directory, file: 'box.log', position, bytes: 12, lines: 2 });
    assert.deepEqual(await linesOf(directory, { logger, tail: 14 }), [...numbers(4, 5), ...numbers(7, 20)]);
  });

  it('gets over a megabyte without a line in it', async () => {
    await writeLines(20);
    const path = join(directory, 'box.log');
    const whole = readFileSync(path, 'utf8');
    writeFileSync(path, `${whole}${'x'.repeat(1 << 20)}\n`);
    const { logger, warnings } = warningsOf();
    assert.deepEqual(await linesOf(directory, { logger }), numbers(0, 20));
    assert.equal(warnings.length, 1);
    assert.deepEqual(await linesOf(directory, { logger, tail: 2 }), numbers(18, 20));
    const writer = await LogWriter.open(directory);
    await writer.close();
    assert.equal(writer.resume.stdout, 50n);
  });

  it('does not show a line that is not whole', async () => {
    await writeLines(3);
    const path = join(directory, 'box.log');
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, -1));
    assert.deepEqual(await linesOf(directory), numbers(0, 2));
    assert.deepEqual(await linesOf(directory, { tail: 1 }), numbers(1, 2));
  });

  it('reads up to what was there when it began', async () => {
    const writer = await LogWriter.open(directory, { maxFileBytes: 4096, maxFiles: 3 });
    await writer.append(chunk('stdout', 0, 'a\nb\n'));
    const read: string[] = [];
    for await (const { data } of readLog(directory, { logger: silentLogger })) {
      await writer.append(chunk('stdout', 4 + read.length * 1000, 'x'.repeat(999) + '\n'));
      read.push(data.toString());
    }
    await writer.close();
    assert.deepEqual(read, ['a\n', 'b\n']);
  });
});
