import assert from 'node:assert/strict';
import { signalNumber } from '../../dist/box/signals.js';

describe('signalNumber', () => {
  it('takes names with and without SIG, numbers, and real-time signals, in any case', () => {
    const known = { SIGTERM: 15, term: 15, '9': 9, sigkill: 9, RTMIN: 34, 'SIGRTMIN+3': 37, 'rtmax-1': 63, '64': 64 };
    for (const [signal, number] of Object.entries(known)) assert.equal(signalNumber(signal), number, signal);
  });

  it('refuses what is no signal', () => {
    for (const signal of ['', '0', '65', 'SIGFOO', '-9', '1.5', 'RTMIN+99', 'constructor']) {
      assert.throws(() => signalNumber(signal), { code: 'INVALID_ARGUMENT' }, signal);
    }
  });
});
