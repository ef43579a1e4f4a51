import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { LogRecord } from '@a3s-box/core/client';
import { LogPrinter, timestamp } from '../../dist/actions/log-printer.js';

const time = 1_772_600_767_000_000_001n;
const record = (stream: LogRecord['stream'], data: string | Buffer): LogRecord => ({
  stream,
  timeNs: time,
  data: Buffer.from(data),
});

async function printed(records: readonly LogRecord[], timestamps = false, highWaterMark?: number) {
  const written: [string, Buffer][] = [];
  const streamNamed = (name: string) =>
    new Writable({
      ...(highWaterMark !== undefined && { highWaterMark }),
      write: (chunk: Buffer, _encoding, done) => (written.push([name, chunk]), setImmediate(done)),
    });
  const source = async function* () {
    yield* records;
  };
  const streams = { stdout: streamNamed('stdout'), stderr: streamNamed('stderr') };
  await new LogPrinter(streams, { timestamps }).print(source());
  await Promise.all(Object.values(streams).map((stream) => finished(stream.end())));
  return written.map(([name, chunk]) => [name, chunk.toString('latin1')]);
}

describe('printing logs', () => {
  it('keeps the order of the streams, and writes together what comes together', async () => {
    assert.deepEqual(
      await printed([record('stdout', 'a\n'), record('stdout', 'b\n'), record('stderr', 'c\n'), record('stdout', 'd')]),
      [
        ['stdout', 'a\nb\n'],
        ['stderr', 'c\n'],
        ['stdout', 'd'],
      ],
    );
  });

  it('puts the time at the beginning of lines only, of each stream', async () => {
    const records = [
      record('stdout', 'a'),
      record('stderr', 'x'),
      record('stdout', 'b\n'),
      record('stderr', '\n'),
      record('stdout', 'c\n'),
    ];
    const all = (await printed(records, true)).map(([name, text]) => `${name}:${text}`).join('|');
    const at = '2026-03-04T05:06:07.000000001Z';
    assert.equal(all, [`stdout:${at} a`, `stderr:${at} x`, 'stdout:b\n', 'stderr:\n', `stdout:${at} c\n`].join('|'));
  });

  it('leaves bytes as they are', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    assert.deepEqual(await printed([record('stdout', bytes)]), [['stdout', bytes.toString('latin1')]]);
  });

  it('waits for a reader that is slow', async () => {
    const line = `${'x'.repeat(70_000)}\n`;
    const written = await printed(
      Array.from({ length: 20 }, () => record('stdout', line)),
      false,
      1,
    );
    assert.equal(written.map(([, text]) => text).join(''), line.repeat(20));
  });

  it('prints what there was before a failure', async () => {
    const written: string[] = [];
    const out = new Writable({ write: (chunk: Buffer, _e, done) => (written.push(String(chunk)), done()) });
    const source = async function* () {
      yield record('stdout', 'a\n');
      throw new RangeError('gone');
    };
    await assert.rejects(new LogPrinter({ stdout: out, stderr: out }, { timestamps: false }).print(source()), /gone/);
    assert.deepEqual(written, ['a\n']);
  });

  it('has nine digits of a second', () => {
    assert.equal(timestamp(1_772_600_767_120_000_000n), '2026-03-04T05:06:07.120000000Z');
  });
});
