import assert from 'node:assert/strict';
import { constants, accessSync, readFileSync, statSync } from 'node:fs';

describe('the emulated KVM host', () => {
  it('has a KVM device, a processor with virtualisation, and a clock that counts', () => {
    assert.match(readFileSync('/proc/cpuinfo', 'latin1'), /^flags\s*:.*\bsvm\b/m);
    assert.ok(statSync('/dev/kvm').isCharacterDevice());
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    const clock = '/sys/devices/system/clocksource/clocksource0/current_clocksource';
    assert.equal(readFileSync(clock, 'latin1').trim(), 'tsc');
    // The snapshot is older than the checkout in it: a clock that was not set is behind the file's time.
    assert.ok(Date.now() > statSync(import.meta.filename).mtimeMs, new Date().toISOString());
  });
});
