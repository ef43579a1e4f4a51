import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { listLogFiles } from '../../dist/logs/log-files.js';
import { LogWriter } from '../../dist/logs/log-writer.js';
import type { LogChunk, LogStream } from '../../dist/logs/log-record.js';
import { bytesOf, chunk, linesOf, recordsOf } from './log-samples.ts';

interface Piece {
  readonly stream: LogStream;
  readonly data: Uint8Array;
}

const pieces = fc.array(
  fc.record({
    stream: fc.constantFrom<LogStream>('stdout', 'stderr'),
    data: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .array(fc.constantFrom('\n', 'line\n', '"', 'é', 'x'.repeat(700)), { maxLength: 8 })
        .map((parts) => Buffer.from(parts.join(''))),
    ),
  }),
  { maxLength: 40 },
);
/** Crashes: when they come, and how much of the newest file they leave. */
const crashes = fc.array(fc.record({ atChunk: fc.nat(40), left: fc.double({ min: 0, max: 1, noNaN: true }) }), {
  maxLength: 4,
});

const limits = { maxFileBytes: 4096, maxFiles: 1000 };

function chunksOf(list: readonly Piece[]): LogChunk[] {
  const next = { stdout: 0, stderr: 0 };
  return list.map(({ stream, data }) => {
    const made = chunk(stream, next[stream], data);
    next[stream] += data.length;
    return made;
  });
}

const expected = (list: readonly Piece[], stream: LogStream) =>
  Buffer.concat(list.filter((piece) => piece.stream === stream).map(({ data }) => data));

/** Cuts the newest file. */
function tear(directory: string, left: number): void {
  const newest = listLogFiles(directory).at(-1);
  if (!newest) return;
  const path = join(directory, newest.name);
  truncateSync(path, Math.floor(statSync(path).size * left));
}

describe('a log', function () {
  this.timeout(120_000);
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'log'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** Runs a property in an empty directory each time. */
  async function check<T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => Promise<void>): Promise<void> {
    const checked = fc.asyncProperty(arbitrary, async (value) => {
      rmSync(directory, { recursive: true, force: true });
      await property(value);
    });
    await fc.assert(checked, { numRuns: 100 });
  }

  it('has every byte once after crashes that left any part of the last file', async () => {
    await check(fc.tuple(pieces, crashes), async ([list, plan]) => {
      const all = chunksOf(list);
      for (const { atChunk, left } of plan) {
        const writer = await LogWriter.open(directory, limits);
        // The guest sends again all that it has; what is there already is skipped.
        await Promise.all(all.slice(0, atChunk).map((part) => writer.append(part)));
        await writer.close();
        tear(directory, left);
      }
      const writer = await LogWriter.open(directory, limits);
      const { resume } = writer;
      for (const part of all) {
        // From the resumed offsets on, as the guest does it.
        const skip = Math.max(0, Number(resume[part.stream] - part.offset));
        if (skip >= part.data.length) continue;
        await writer.append({ ...part, offset: part.offset + BigInt(skip), data: part.data.subarray(skip) });
      }
      await writer.close();
      const records = await recordsOf(directory);
      for (const stream of ['stdout', 'stderr'] as const) {
        assert.ok(bytesOf(records, stream).equals(expected(list, stream)), stream);
        assert.equal(writer.resume[stream], BigInt(expected(list, stream).length));
      }
    });
  });

  it('resumes from the end of the records that are left', async () => {
    await check(fc.tuple(pieces, fc.double({ min: 0, max: 1, noNaN: true })), async ([list, left]) => {
      const writer = await LogWriter.open(directory, limits);
      for (const part of chunksOf(list)) await writer.append(part);
      await writer.close();
      tear(directory, left);
      const records = await recordsOf(directory);
      const { resume } = await LogWriter.open(directory, limits).then(async (again) => {
        await again.close();
        return again;
      });
      for (const stream of ['stdout', 'stderr'] as const) {
        const bytes = bytesOf(records, stream);
        assert.equal(resume[stream], BigInt(bytes.length));
        assert.ok(bytes.equals(expected(list, stream).subarray(0, bytes.length)));
      }
    });
  });

  it('has the same last lines whether it is read from its start or its end', async () => {
    await check(fc.tuple(pieces, fc.nat(30)), async ([list, tail]) => {
      const writer = await LogWriter.open(directory, limits);
      for (const part of chunksOf(list)) await writer.append(part);
      await writer.close();
      const all = await linesOf(directory);
      const ends = all.flatMap((line, index) => (line.endsWith('\n') || index === all.length - 1 ? [index + 1] : []));
      const start = tail < ends.length ? (ends[ends.length - 1 - tail] ?? 0) : 0;
      assert.deepEqual(await linesOf(directory, { tail }), all.slice(start));
    });
  });
});
