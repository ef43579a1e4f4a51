import assert from 'node:assert/strict';
import { FAULTS, planCycle, STEPS } from './plan.ts';

describe('the plan of a soak run', () => {
  const plans = (seed: number) => [...Array(200).keys()].map((number) => planCycle(seed, number));

  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(plans(7), plans(7));
    assert.notDeepEqual(plans(7), plans(8));
  });

  it('has every fault in every step in the end', () => {
    const faults = [1, 2, 3, 4, 5].flatMap(plans).flatMap((plan) => plan.faults);
    for (const kind of FAULTS) {
      for (const step of STEPS) assert.ok(faults.some((fault) => fault.kind === kind && fault.step === step));
    }
  });

  it('begins with a box and ends with its removal, with a fault in three cycles of four at least', () => {
    for (const { steps, faults } of plans(7)) {
      assert.deepEqual([steps.includes('run') || steps.includes('start'), steps.at(-1)], [true, 'rm']);
      for (const { step } of faults) assert.ok(steps.includes(step));
    }
    assert.ok(plans(7).filter(({ faults }) => faults.length > 0).length > 150);
  });
});
