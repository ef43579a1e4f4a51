import assert from 'node:assert/strict';
import { logTellsMemoryKill, vmExit, type ProcessEnd } from '../dist/vm-exit.js';

const end = (changes: Partial<ProcessEnd>): ProcessEnd => ({
  exitCode: 0,
  signal: null,
  stderr: '',
  shutdown: undefined,
  killRequested: false,
  killedForMemory: () => assert.fail('nobody asked for the kernel log'),
  ...changes,
});
const guest = { guest: true, reason: 'guest-reset' };

describe('vm exit', () => {
  it('is a power-off when QEMU says that the guest asked for it', () => {
    assert.deepEqual(vmExit(end({ shutdown: guest })), { kind: 'powered-off' });
  });

  it('is a failure when QEMU ends with 0 and does not say why', () => {
    assert.deepEqual(vmExit(end({ stderr: 'hm' })), { kind: 'vmm-failed', exitCode: 0, stderr: 'hm' });
  });

  it('is a failure when QEMU ends with another status, whatever it said', () => {
    const expected = { kind: 'vmm-failed', exitCode: 1, stderr: 'no memory' };
    assert.deepEqual(vmExit(end({ exitCode: 1, stderr: 'no memory', shutdown: guest })), expected);
  });

  it('is a kill when a signal asked QEMU to end, which it did with 0', () => {
    const shutdown = { guest: false, reason: 'host-signal' };
    const expected = { kind: 'vmm-killed', signal: 'SIGTERM', outOfMemory: false, requested: false };
    assert.deepEqual(vmExit(end({ shutdown })), expected);
  });

  for (const [signal, killRequested, killedForMemory, outOfMemory] of [
    ['SIGKILL', false, true, true],
    ['SIGKILL', false, false, false],
    ['SIGKILL', true, true, false],
    ['SIGSEGV', false, true, false],
  ] as const) {
    const how = `${signal}, ${killRequested ? '' : 'not '}requested, ${killedForMemory ? '' : 'no '}memory kill in the log`;
    it(`is a kill by ${how}: out of memory ${outOfMemory}`, () => {
      const exit = vmExit(end({ exitCode: null, signal, killRequested, killedForMemory: () => killedForMemory }));
      assert.deepEqual(exit, { kind: 'vmm-killed', signal, outOfMemory, requested: killRequested });
    });
  }

  it('finds its process in the kernel log and no other', () => {
    const log = '4,1,2,-;Memory cgroup out of memory: Killed process 4711 (qemu-system-x86) total-vm:1kB\n';
    assert.equal(logTellsMemoryKill(log, 4711), true);
    assert.equal(logTellsMemoryKill(log, 471), false);
    assert.equal(logTellsMemoryKill('', 4711), false);
  });
});
