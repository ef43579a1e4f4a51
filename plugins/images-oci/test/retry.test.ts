import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { DEFAULT_RETRIES, delayBefore, isTransient, mayPass, retryAfterMs } from '../dist/retry.js';

describe('waiting between attempts', () => {
  const random = fc.double({ min: 0, max: 1, noNaN: true });

  it('doubles, is spread over half of itself, and ends', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), random, (failed, chance) => {
        const delay = delayBefore(DEFAULT_RETRIES, { failed, random: chance });
        if (failed >= DEFAULT_RETRIES.attempts) return assert.equal(delay, undefined);
        const longest = Math.min(DEFAULT_RETRIES.maxDelayMs, 250 * 2 ** (failed - 1));
        assert.ok(delay !== undefined && delay >= longest / 2 && delay <= longest);
      }),
    );
  });

  it('is never shorter than what the registry asks for, and not for ever', () => {
    fc.assert(
      fc.property(fc.nat({ max: 200_000 }), random, (askedMs, chance) => {
        const delay = delayBefore(DEFAULT_RETRIES, { failed: 1, askedMs, random: chance });
        if (askedMs > DEFAULT_RETRIES.maxAskedMs) assert.equal(delay, undefined);
        else assert.ok(delay !== undefined && delay >= askedMs);
      }),
    );
  });

  it('takes Retry-After in seconds and as a date', () => {
    const now = Date.parse('2024-05-01T00:00:00Z');
    assert.equal(retryAfterMs('7', now), 7000);
    assert.equal(retryAfterMs('Wed, 01 May 2024 00:00:30 GMT', now), 30_000);
    assert.equal(retryAfterMs('Tue, 30 Apr 2024 00:00:00 GMT', now), 0);
    for (const text of [undefined, '', 'soon', '-1x']) assert.equal(retryAfterMs(text, now), undefined);
  });

  it('is for what may pass only', () => {
    assert.deepEqual([200, 401, 404, 408, 416, 429, 500, 501, 503].filter(isTransient), [408, 429, 500, 503]);
    const coded = (code: string) => Object.assign(new Error('x'), { code });
    assert.ok(mayPass(coded('ECONNRESET')));
    assert.ok(!mayPass(coded('CERT_HAS_EXPIRED')));
    assert.ok(!mayPass(new Error('outer', { cause: coded('ENOTFOUND') })));
  });
});
