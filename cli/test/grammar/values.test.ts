import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseCpus, parseDuration, parseLabel, parseSize } from '../../dist/grammar/values.js';

const MIB = 2 ** 20;

describe('sizes', () => {
  const sizes: [string, number][] = [
    ['0', 0],
    ['32', 32],
    ['32b', 32],
    ['1k', 1024],
    ['1K', 1024],
    ['1kb', 1024],
    ['1KiB', 1024],
    ['512m', 512 * MIB],
    ['512M', 512 * MIB],
    ['512 MB', 512 * MIB],
    ['1.5g', 1536 * MIB],
    ['2t', 2 * MIB * MIB],
    ['1p', 2 ** 50],
    ['0.5', 0],
  ];
  for (const [value, bytes] of sizes) it(`${value} is ${bytes} bytes`, () => assert.equal(parseSize(value), bytes));

  for (const value of [
    '',
    'm',
    '-1m',
    '+1',
    '1x',
    '1 k b',
    '1mm',
    '1.m',
    '.5g',
    '1,5g',
    '0x10',
    '1e3',
    ' 1',
    '1\n',
    '9999p',
  ]) {
    it(`${JSON.stringify(value)} is none`, () => {
      assert.throws(() => parseSize(value), { code: 'INVALID_ARGUMENT', message: `invalid size: '${value}'` });
    });
  }

  it('are whole and exact for any whole number of any unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1 << 20 }), fc.constantFrom('b', 'k', 'm', 'g'), (number, unit) => {
        assert.equal(parseSize(`${number}${unit}`), number * 1024 ** 'bkmg'.indexOf(unit));
      }),
    );
  });
});

describe('CPUs', () => {
  const cpus: [string, number][] = [
    ['1', 1e9],
    ['1.5', 1.5e9],
    ['.5', 5e8],
    ['2.', 2e9],
    ['0.000000001', 1],
    ['0.1000000000', 1e8],
    ['0', 0],
  ];
  for (const [value, nano] of cpus) it(`${value} is ${nano} billionths`, () => assert.equal(parseCpus(value), nano));

  for (const value of ['', '.', 'x', '-1', '1/2', '1e3', '0.0000000001', '1..2', ' 1', '99999999']) {
    it(`${JSON.stringify(value)} is none`, () => {
      assert.throws(() => parseCpus(value), { code: 'INVALID_ARGUMENT' });
    });
  }

  it('are exact for any decimals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 512 }), fc.integer({ min: 0, max: 999_999_999 }), (whole, fraction) => {
        assert.equal(parseCpus(`${whole}.${String(fraction).padStart(9, '0')}`), whole * 1e9 + fraction);
      }),
    );
  });
});

describe('times', () => {
  const times: [string, number][] = [
    ['90', 90_000],
    ['1.5', 1500],
    ['90s', 90_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['1h', 3_600_000],
    ['1h1m1s1ms', 3_661_001],
    ['0.5m', 30_000],
  ];
  for (const [value, ms] of times) it(`${value} is ${ms} ms`, () => assert.equal(parseDuration(value), ms));

  for (const value of ['', '0', '0s', '-1', '1x', '1m30', 's', '1 m', '1us', '0.0001']) {
    it(`${JSON.stringify(value)} is none`, () =>
      assert.throws(() => parseDuration(value), { code: 'INVALID_ARGUMENT' }));
  }
});

describe('labels', () => {
  it('have a name and perhaps a value', () => {
    assert.deepEqual(parseLabel('a=b=c'), ['a', 'b=c']);
    assert.deepEqual(parseLabel('a'), ['a', '']);
    assert.deepEqual(parseLabel('a='), ['a', '']);
    assert.throws(() => parseLabel('=b'), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => parseLabel(''), { code: 'INVALID_ARGUMENT' });
  });
});
