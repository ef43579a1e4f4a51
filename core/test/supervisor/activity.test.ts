import assert from 'node:assert/strict';
import { Activity } from '../../dist/supervisor/activity.js';

describe('Activity', () => {
  it('calls back once nothing is in use any more', async () => {
    using activity = new Activity();
    const first = activity.begin();
    const second = activity.begin();
    let idle = false;
    const called = new Promise<void>((resolve) => {
      activity.onIdle(1, () => {
        idle = true;
        resolve();
      });
    });
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(idle, false, 'the second use was not over');
    second[Symbol.dispose]();
    await called;
  });

  it('counts from the start when there is no use at all', async () => {
    using activity = new Activity();
    await new Promise<void>((resolve) => activity.onIdle(1, resolve));
  });
});
