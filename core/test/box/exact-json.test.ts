import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encodeExact, parseExact } from '../../dist/box/exact-json.js';

describe('exact JSON', () => {
  it('keeps integers of 64 bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const text = `{"a":[${value}]}`;
        assert.equal(encodeExact(parseExact(text)), text);
      }),
    );
    assert.deepEqual(parseExact('[18446744073709551615,1,1.5,"1"]'), [2n ** 64n - 1n, 1, 1.5, '1']);
  });
});
