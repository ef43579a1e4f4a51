import assert from 'node:assert/strict';
import { readOutcome, startError } from '../dist/launcher-status.js';

const line = (step: string, change: object = {}): string =>
  `${JSON.stringify({ step, subject: '', errno: 0, message: `it is ${step}`, ...change })}\n`;

async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) {
    await Promise.resolve();
    yield text.slice(at, at + size);
  }
}

describe('the launcher’s status', () => {
  it('is that the machine runs once it stands, however its lines are cut', async () => {
    for (const size of [1, 7, 1000]) {
      assert.deepEqual(await readOutcome(pieces(line('entering') + line('running'), size), 'running'), {
        kind: 'running',
      });
    }
  });

  it('is the failure, also after the start was announced', async () => {
    const failure = { subject: 'krun_start_enter', errno: 22, message: 'krun_start_enter: Invalid argument' };
    const text = line('call', failure);
    for (const before of ['', line('entering')]) {
      const outcome = await readOutcome(pieces(before + text, 10), 'running');
      assert.deepEqual(outcome, { kind: 'failed', status: { step: 'call', ...failure } });
    }
  });

  it('is nothing before its end where the launcher does not tell that the machine runs', async () => {
    assert.deepEqual(await readOutcome(pieces(line('entering'), 10)), { kind: 'failed' });
    const status = { step: 'call', subject: 'krun_start_enter', errno: 22, message: 'no' };
    const outcome = await readOutcome(pieces(line('entering') + line('call', status), 10));
    assert.deepEqual(outcome, { kind: 'failed', status });
  });

  it('is a failure without a reason where it ends without a word', async () => {
    assert.deepEqual(await readOutcome(pieces('', 1), 'running'), { kind: 'failed' });
    assert.deepEqual(await readOutcome(pieces('{"step":"runn', 4)), { kind: 'failed' });
  });

  it('becomes an error with the reason, what libkrun said, and what to do', () => {
    const status = { step: 'feature', subject: 'BLK', errno: 0, message: 'it was built without BLK' } as const;
    const error = startError('web', status, 'a warning\n');
    assert.equal(error.code, 'VM_START_FAILED');
    assert.equal(error.message, 'the VMM of web ended before it ran: it was built without BLK; a warning');
    assert.match(error.hint ?? '', /BLK=1 NET=1/);
    assert.deepEqual(error.details, { step: 'feature', subject: 'BLK', errno: 0, stderr: 'a warning\n' });
    assert.equal(startError('web', undefined, '').message, 'the VMM of web ended before it ran');
  });
});
