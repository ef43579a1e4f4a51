import assert from 'node:assert/strict';
import { delayOf, healthCheckOf, judge, NEW_HEALTH, type HealthResult } from '../../dist/box/health-check.js';

const result = (exitCode: number): HealthResult => ({ startNs: '1', endNs: '2', exitCode, output: String(exitCode) });
const check = healthCheckOf({ healthcheck: { test: ['CMD', 'true'], startPeriodMs: 100, retries: 2 } }, undefined)!;

describe('health checks', () => {
  it('are those of the image, with what was asked for over it', () => {
    const image = { test: ['CMD-SHELL', 'exit 1'], intervalNs: 2e9, retries: 7 };
    assert.equal(healthCheckOf({}, undefined), undefined);
    assert.equal(healthCheckOf({ healthcheck: { test: ['NONE'] } }, image), undefined);
    assert.deepEqual(healthCheckOf({ healthcheck: { timeoutMs: 5, retries: 1 } }, image), {
      command: ['/bin/sh', '-c', 'exit 1'],
      intervalMs: 2000,
      timeoutMs: 5,
      startPeriodMs: 0,
      startIntervalMs: 5000,
      retries: 1,
    });
  });

  it('are refused where they cannot be', () => {
    for (const test of [['CMD'], ['CMD-SHELL', 'a', 'b'], ['RUN', 'x']])
      assert.throws(() => healthCheckOf({ healthcheck: { test } }, undefined), { code: 'INVALID_ARGUMENT' });
    const healthcheck = { test: ['CMD', 'a'], intervalMs: 0 };
    assert.throws(() => healthCheckOf({ healthcheck }, undefined), { code: 'INVALID_ARGUMENT' });
  });

  it('wait no longer than a timer can', () => {
    const month = { intervalMs: 3e9, startIntervalMs: 3e9, timeoutMs: 5e9 };
    const { intervalMs, startIntervalMs, timeoutMs } = healthCheckOf(
      { healthcheck: { test: ['CMD', 'a'], ...month } },
      undefined,
    )!;
    assert.deepEqual([intervalMs, startIntervalMs, timeoutMs], [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]);
  });

  it('make a box unhealthy after so many failures in a row, and healthy after one success', () => {
    let health = judge(NEW_HEALTH, check, result(1), 200);
    assert.deepEqual([health.status, health.failingStreak], ['starting', 1]);
    health = judge(health, check, result(-1), 200);
    assert.deepEqual([health.status, health.failingStreak], ['unhealthy', 2]);
    health = judge(health, check, result(0), 200);
    assert.deepEqual([health.status, health.failingStreak], ['healthy', 0]);
  });

  it('do not count failures in the start period before the first success, and look more often then', () => {
    let health = judge(NEW_HEALTH, check, result(1), 50);
    assert.deepEqual([health.status, health.failingStreak, health.log.length], ['starting', 0, 1]);
    assert.equal(delayOf(health, check, 50), 5000);
    assert.equal(delayOf(health, check, 150), 30_000);
    health = judge(judge(health, check, result(0), 60), check, result(1), 70);
    assert.deepEqual([health.status, health.failingStreak], ['healthy', 1]);
  });

  it('keep the last five results', () => {
    let health = NEW_HEALTH;
    for (let i = 0; i < 8; i++) health = judge(health, check, result(i), 200);
    assert.deepEqual(
      health.log.map(({ exitCode }) => exitCode),
      [3, 4, 5, 6, 7],
    );
  });
});
