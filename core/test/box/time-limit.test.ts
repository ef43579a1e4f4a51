import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { FOR_EVER_MS, TimeLimit } from '../../dist/box/time-limit.js';

describe('a time limit', () => {
  const now = (): bigint => BigInt(Date.now()) * 1_000_000n;

  it('expires when it is up, at once when that was before', async () => {
    using limit = new TimeLimit(20, now());
    using past = new TimeLimit(20, now() - 1_000_000_000n);
    assert.deepEqual(await Promise.all([limit.expired, past.expired]), ['expired', 'expired']);
  });

  for (const [name, limitMs] of [
    ['without one', undefined],
    ['for ever', FOR_EVER_MS],
    ['longer than a timer', 2 ** 31],
  ] as const) {
    it(`does not expire: ${name}`, async () => {
      using limit = new TimeLimit(limitMs, now());
      assert.equal(await Promise.race([limit.expired, delay(30, 'waits')]), 'waits');
    });
  }
});
