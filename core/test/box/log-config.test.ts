import assert from 'node:assert/strict';
import { logLimitsOf } from '../../dist/box/log-config.js';

const limits = (options: Record<string, string>, driver = 'json-file') => logLimitsOf({ driver, options });

describe('log options', () => {
  it('are limits of size and number; a size alone keeps one file', () => {
    assert.deepEqual(logLimitsOf(undefined), { maxFileBytes: 64 * 2 ** 20, maxFiles: 8 });
    assert.deepEqual(limits({ 'max-size': '10k' }), { maxFileBytes: 10_000, maxFiles: 1 });
    assert.deepEqual(limits({ 'max-size': '1.5m', 'max-file': '3' }), { maxFileBytes: 1_500_000, maxFiles: 3 });
    assert.deepEqual(limits({ 'max-file': '2' }), { maxFileBytes: 64 * 2 ** 20, maxFiles: 2 });
    assert.equal(limits({}, 'none'), undefined);
  });

  it('are refused by name where they cannot be', () => {
    for (const options of [{ 'max-size': '1' }, { 'max-size': 'x' }, { 'max-size': '-1' }, { 'max-file': '0' }])
      assert.throws(() => limits(options as unknown as Record<string, string>), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => limits({ compress: 'true' }), { code: 'UNSUPPORTED', message: /compress/ });
    assert.throws(() => limits({ 'max-size': '1m' }, 'none'), { code: 'UNSUPPORTED', message: /max-size/ });
    assert.throws(() => limits({}, 'syslog'), { code: 'UNSUPPORTED', message: /syslog/ });
  });
});
