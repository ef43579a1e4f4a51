import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { FRESH_BOOT_SESSION_KEY, makeSessionOpening, StreamMatcher } from '../../dist/guest/session-opening.js';

describe('session opening', () => {
  it('has the form that the guest expects', () => {
    const key = Buffer.alloc(32, 7);
    const { bytes, echo } = makeSessionOpening(key);
    assert.equal(bytes.length, 56);
    assert.deepEqual(bytes.subarray(0, 32), key);
    const nonce = bytes.subarray(32, 48);
    assert.deepEqual(bytes.subarray(48), createHash('sha256').update(key).update(nonce).digest().subarray(0, 8));
    assert.deepEqual(echo, Buffer.concat([Buffer.from('A3SBOX1\n'), nonce]));
  });

  it('draws a nonce of its own each time', () => {
    const key = Buffer.alloc(32);
    assert.notDeepEqual(makeSessionOpening(key).echo, makeSessionOpening(key).echo);
  });

  it('knows the key of a fresh boot', () => {
    assert.equal(
      FRESH_BOOT_SESSION_KEY.toString('hex'),
      createHash('sha256').update('a3s-box agent session v1').digest('hex'),
    );
  });
});

describe('StreamMatcher', () => {
  it('finds a pattern wherever the stream is cut, and gives exactly what follows', () => {
    const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
    fc.assert(
      fc.property(bytes(50), bytes(50), fc.array(fc.nat(90), { maxLength: 6 }), (before, after, cuts) => {
        const pattern = Buffer.from('A3SBOX1\nabcdefgh');
        fc.pre(!before.includes(pattern));
        const stream = Buffer.concat([before, pattern, after]);
        const matcher = new StreamMatcher(pattern);
        const edges = [...cuts.map((cut) => Math.min(cut, stream.length)), 0, stream.length].sort((a, b) => a - b);
        let found: Buffer | undefined;
        for (let i = 1; i < edges.length; i++) {
          const piece = stream.subarray(edges[i - 1], edges[i]);
          if (found) found = Buffer.concat([found, piece]);
          else found = matcher.push(piece);
        }
        assert.deepEqual(found, after);
      }),
    );
  });

  it('finds nothing where there is nothing', () => {
    const matcher = new StreamMatcher(Buffer.from('needle'));
    assert.equal(matcher.push(Buffer.from('need')), undefined);
    assert.equal(matcher.push(Buffer.from('nee')), undefined);
    assert.deepEqual(matcher.push(Buffer.from('dle!')), Buffer.from('!'));
  });
});
