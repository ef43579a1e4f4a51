import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RecordEncoder } from '../../dist/logs/record-encoder.js';
import { RecordParser } from '../../dist/logs/record-parser.js';
import { RecordTimeFormat } from '../../dist/logs/record-time.js';
import type { LogChunk, LogRecord } from '../../dist/logs/log-record.js';
import { chunk, NOON_NS } from './log-samples.ts';
import { anyText } from '../../../test/support/any-text.ts';

const encoderOf = (limit = Infinity) => new RecordEncoder({ limit, time: new RecordTimeFormat() });

function encode(from: LogChunk): string[] {
  const encoder = encoderOf();
  assert.equal(encoder.add(from, 0), from.data.length);
  const written = encoder.finish();
  assert.equal(written.length, encoder.bytes);
  return written.toString().split('\n').slice(0, -1);
}

function parse(line: string): LogRecord | undefined {
  const bytes = Buffer.from(`${line}\n`);
  return new RecordParser().parse({ bytes, text: bytes.toString('latin1') }, 0, bytes.length - 1);
}

describe('log records', function () {
  this.timeout(30_000);
  it("have the form of Docker's json-file, with the offset", () => {
    assert.deepEqual(encode(chunk('stderr', 7, 'one\ntwo "ü" \u001b[1m\\n', NOON_NS + 123n)), [
      '{"log":"one\\n","stream":"stderr","time":"2024-11-22T00:00:00.000000123Z","offset":7}',
      '{"log":"two \\"ü\\" \\u001b[1m\\\\n","stream":"stderr","time":"2024-11-22T00:00:00.000000123Z","offset":11}',
    ]);
  });

  it('hold what is not UTF-8 as base64', () => {
    assert.deepEqual(
      encode(chunk('stdout', 0, Buffer.from([0xff, 0x0a, 0x61, 0x0a]))).map((line) => JSON.parse(line)),
      [
        { base64: '/wo=', stream: 'stdout', time: '2024-11-22T00:00:00.000000000Z', offset: 0 },
        { log: 'a\n', stream: 'stdout', time: '2024-11-22T00:00:00.000000000Z', offset: 2 },
      ],
    );
  });

  it('hold at most 16 KiB and whole characters of a long line', () => {
    const lines = encode(chunk('stdout', 0, `${'日'.repeat(20_000)}\n`)).map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ offset }) => offset),
      [0, 16_383, 32_766, 49_149],
    );
    assert.equal(lines.map(({ log }) => log).join(''), `${'日'.repeat(20_000)}\n`);
  });

  it('come back as the bytes that they were, for any bytes', () => {
    const data = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      anyText(100).map((text) => Buffer.from(text)),
      fc
        .array(fc.constantFrom('"', '\\', '\n', '\\n', '\\u65e5', '\u001b', 'é', '日', 'a'.repeat(9000)))
        .map((parts) => Buffer.from(parts.join(''))),
    );
    const offset = fc.bigInt(0n, 2n ** 52n);
    const time = fc.bigInt(0n, 2n ** 64n - 1n);
    fc.assert(
      fc.property(
        fc.constantFrom('stdout' as const, 'stderr' as const),
        offset,
        time,
        data,
        (stream, start, timeNs, bytes) => {
          let next = start;
          const parts: Buffer[] = [];
          for (const line of encode(chunk(stream, start, bytes, timeNs))) {
            const record = parse(line);
            assert.ok(record, line);
            assert.deepEqual([record.stream, record.offset, record.timeNs], [stream, next, timeNs]);
            assert.ok(record.data.length > 0 && !record.data.subarray(0, -1).includes('\n'));
            next += BigInt(record.data.length);
            parts.push(Buffer.from(record.data));
          }
          assert.deepEqual(Buffer.concat(parts), Buffer.from(bytes));
        },
      ),
    );
  });

  it('are added while there is room, and go on from there', () => {
    const from = chunk('stdout', 100, 'line\n'.repeat(10));
    const encoder = encoderOf(400);
    const taken = encoder.add(from, 0);
    assert.equal(taken, 20);
    assert.ok(encoder.bytes <= 400);
    const rest = encoderOf();
    assert.equal(rest.add(from, taken), 50);
    assert.equal(JSON.parse(rest.finish().toString().split('\n')[0]!).offset, 120);
  });

  it('are refused beyond offsets that JSON holds exactly', () => {
    assert.throws(() => encoderOf().add(chunk('stdout', 2n ** 53n - 2n, 'ab'), 0), { code: 'LIMIT_EXCEEDED' });
  });
});

describe('RecordParser', () => {
  it('reads records that were written by others, with other spaces, keys and digits', () => {
    const line =
      '{ "offset": 5, "time": "2024-11-22T00:00:00.5Z", "attrs": {}, "stream": "stderr", "log": "\\u65e5\\n" }';
    assert.deepEqual(parse(line), chunk('stderr', 5, '日\n', NOON_NS + 500_000_000n));
    const escaped = '{"log":"\\u00fc\\n","stream":"stdout","time":"2024-11-22T00:00:00.000000000Z","offset":1}';
    assert.deepEqual(parse(escaped), chunk('stdout', 1, 'ü\n'));
  });

  const whole = '{"log":"text\\n","stream":"stdout","time":"2024-11-22T00:00:00.123456789Z","offset":12}';
  for (const broken of [
    '',
    'null',
    '\0'.repeat(200),
    whole.slice(1),
    whole.slice(0, -1),
    whole.replace('text', 'te"xt'),
    whole.replace('text', 'te\\xt'),
    whole.replace('stdout', 'stdin_'),
    whole.replace('-11-22', '-13-22'),
    whole.replace('2024', '20x4'),
    whole.replace(':12}', ':}'),
    whole.replace(':12}', ':-1}'),
    whole.replace(':12}', ':9007199254740993}'),
    whole.replace('"log":"text\\n"', '"base64":"a?b"'),
    whole.replace('"log":"text\\n"', '"log":1'),
    `${whole}${whole}`,
  ]) {
    it(`refuses ${JSON.stringify(broken).slice(0, 100)}`, () => assert.equal(parse(broken), undefined));
  }
});
