import assert from 'node:assert/strict';
import { NO_MARKS, unknownExit, type BoxExit } from '../../dist/box/box.js';
import type { BoxSpec } from '../../dist/box/box-spec.js';
import { isToRestart, restartDelay } from '../../dist/box/restart-decision.js';

const exit = (code: number): BoxExit => ({ ...unknownExit(''), known: true, code });

function wants(restart: BoxSpec['restart'], end: BoxExit, marks: Partial<typeof NO_MARKS> = {}): boolean {
  const spec: BoxSpec = {
    image: 'i',
    environment: [],
    terminal: false,
    stdinOpen: false,
    autoRemove: false,
    labels: {},
    ...(restart && { restart }),
  };
  return isToRestart({ spec, marks: { ...NO_MARKS, ...marks } }, end);
}

describe('restart policies', () => {
  it('leave a box alone without one, and one that its user ended', () => {
    assert.equal(wants(undefined, exit(1)), false);
    for (const name of ['always', 'unless-stopped', 'on-failure'] as const)
      assert.equal(wants({ name }, exit(1), { stoppedByUser: true }), false);
  });

  it('start after every end, or after failures only; an end that nobody knows is one', () => {
    for (const name of ['always', 'unless-stopped'] as const)
      for (const end of [exit(0), exit(1), unknownExit('gone')]) assert.equal(wants({ name }, end), true);
    assert.deepEqual(
      [exit(0), exit(1), unknownExit('gone')].map((end) => wants({ name: 'on-failure' }, end)),
      [false, true, true],
    );
  });

  it('give up after so many times', () => {
    const policy = { name: 'on-failure', maximumRetries: 2 } as const;
    assert.deepEqual(
      [0, 1, 2].map((restarts) => wants(policy, exit(1), { restarts })),
      [true, true, false],
    );
  });

  it('wait 100 ms, then twice as long each time up to a minute, and 100 ms after a good run', () => {
    const delays: number[] = [];
    let last: number | undefined;
    for (let i = 0; i < 12; i++) delays.push((last = restartDelay(last, 50)));
    assert.deepEqual(delays.slice(0, 4), [100, 200, 400, 800]);
    assert.deepEqual(delays.slice(-2), [60_000, 60_000]);
    assert.equal(restartDelay(60_000, 10_000), 100);
  });
});
