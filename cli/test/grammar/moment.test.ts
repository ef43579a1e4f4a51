import assert from 'node:assert/strict';
import { parseMoment } from '../../dist/grammar/moment.js';

const now = new Date('2026-03-04T05:06:07.089Z');
const at = (iso: string, ns = 0n) => BigInt(Date.parse(iso)) * 1_000_000n + ns;
const local = (...parts: [number, number, number, number, number, number]) =>
  BigInt(new Date(...parts).getTime()) * 1_000_000n;

describe('points in time', () => {
  const moments: [value: string, ns: bigint][] = [
    ['10m', at('2026-03-04T04:56:07.089Z')],
    ['1h30m', at('2026-03-04T03:36:07.089Z')],
    ['1.5s', at('2026-03-04T05:06:05.589Z')],
    ['250ms', at('2026-03-04T05:06:06.839Z')],
    ['1772600767', at('2026-03-04T05:06:07Z')],
    ['1772600767.000000001', at('2026-03-04T05:06:07Z', 1n)],
    ['1772600767.5', at('2026-03-04T05:06:07.5Z')],
    ['2026-01-02T15:04:05Z', at('2026-01-02T15:04:05Z')],
    ['2026-01-02T15:04:05.123456789Z', at('2026-01-02T15:04:05Z', 123456789n)],
    ['2026-01-02T15:04:05+02:00', at('2026-01-02T13:04:05Z')],
    ['2026-01-02T15:04:05.5-01:30', at('2026-01-02T16:34:05.5Z')],
    ['2026-01-02T15:04Z', at('2026-01-02T15:04:00Z')],
    ['2026-01-02Z', at('2026-01-02T00:00:00Z')],
    ['2026-01-02', local(2026, 0, 2, 0, 0, 0)],
    ['2026-01-02T15:04:05', local(2026, 0, 2, 15, 4, 5)],
  ];
  for (const [value, ns] of moments) it(value, () => assert.equal(parseMoment(value, now), ns));

  for (const value of [
    '',
    'yesterday',
    '-10m',
    '10x',
    '2026-13-01',
    '2026-02-30T00:00:00Z',
    '2026-01-02T25:00Z',
    '2026-01-02 15:04',
    '1e3',
  ]) {
    it(`${JSON.stringify(value)} is none`, () => {
      assert.throws(() => parseMoment(value, now), { code: 'INVALID_ARGUMENT', message: /neither a time/ });
    });
  }
});
