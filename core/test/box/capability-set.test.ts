import assert from 'node:assert/strict';
import { ALL_CAPABILITIES, capabilitiesOf, DEFAULT_CAPABILITIES } from '../../dist/box/capability-set.js';

describe('the capabilities of a container', () => {
  it('are Docker’s fourteen without a wish', () => {
    assert.equal(capabilitiesOf({}).length, 14);
    assert.equal(ALL_CAPABILITIES.length, 41);
    // CAP_SYS_ADMIN and CAP_CHECKPOINT_RESTORE by their numbers in capability.h.
    assert.deepEqual([ALL_CAPABILITIES[21], ALL_CAPABILITIES[40]], ['CAP_SYS_ADMIN', 'CAP_CHECKPOINT_RESTORE']);
    assert.ok(DEFAULT_CAPABILITIES.every((name) => ALL_CAPABILITIES.includes(name)));
  });

  it('are added to and taken from by name, with or without CAP_, in any case', () => {
    const capabilities = capabilitiesOf({
      capAdd: ['net_admin', 'CAP_SYS_TIME', 'chown'],
      capDrop: ['KILL', 'cap_mknod'],
    });
    assert.ok(capabilities.includes('CAP_NET_ADMIN') && capabilities.includes('CAP_SYS_TIME'));
    assert.ok(!capabilities.includes('CAP_KILL') && !capabilities.includes('CAP_MKNOD'));
    assert.equal(capabilities.length, 14);
  });

  it('know ALL on either side', () => {
    assert.deepEqual(capabilitiesOf({ capDrop: ['ALL'] }), []);
    assert.deepEqual(capabilitiesOf({ capDrop: ['all'], capAdd: ['NET_RAW'] }), ['CAP_NET_RAW']);
    assert.equal(capabilitiesOf({ capAdd: ['ALL'], capDrop: ['SYS_ADMIN'] }).length, 40);
    assert.deepEqual(capabilitiesOf({ privileged: true, capDrop: ['ALL'] }), ALL_CAPABILITIES);
  });

  it('are refused by name when there is none of that name, also with privileged', () => {
    for (const options of [{ capAdd: ['NET_FROB'] }, { privileged: true, capAdd: ['NET_FROB'] }]) {
      assert.throws(() => capabilitiesOf(options), {
        code: 'INVALID_ARGUMENT',
        message: 'capability "NET_FROB" to add is not known',
        hint: /capabilities\(7\)/,
      });
    }
    assert.throws(() => capabilitiesOf({ capDrop: [''] }), { message: 'capability "" to drop is not known' });
  });
});
