/** In the KVM host: the calls that make a machine of a real libkrun are those that recording ones are tested with. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GuestConnection } from '@a3s-box/contract-hypervisor';
import { libkrunPackagePath } from '@a3s-box/native';
import { inheritingHost } from '../../libkrun/dist/inheriting-host.js';
import { launch } from '../../libkrun/dist/krun-launch.js';
import { REAL_LIBKRUN, RECORDING_LIBKRUN } from '../../../test/kvm-host/compiled.ts';
import { assertSameCalls, type RecordedCall } from '../../../test/support/recording/calls.ts';
import { expectedCalls, standardSpec } from '../../../test/support/recording/recorded-calls-suite.ts';
import { contractBoot, kvmProbe } from './test-hypervisor.ts';

const { signal } = new AbortController();

describe('calls of libkrun-kvm', function () {
  this.timeout(120_000);
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'calls-'));
    copyFileSync(libkrunPackagePath() ?? '', REAL_LIBKRUN);
  });
  after(() => {
    rmSync(root, { recursive: true });
    rmSync(REAL_LIBKRUN);
  });

  it('make a machine on the real libkrun as every backend does on the recording one', async () => {
    const { answer, machine } = await kvmProbe(root, { libkrun: RECORDING_LIBKRUN }).probe({ signal });
    assert.ok(machine, answer.reason);
    const spec = standardSpec(root, await contractBoot(root));
    await using undo = new AsyncDisposableStack();
    const { vmm, announcement } = await launch({ spec, machine, host: inheritingHost }, signal, undo);
    // A guest runs: the calls went on to a libkrun that is real.
    const socket = inheritingHost.agentAddress(spec.directory);
    using guest = await GuestConnection.open({ socket, listening: announcement.made });
    assert.equal(await guest.ask('ping up'), 'pong up');
    const calls = vmm.stderr.split('\n').filter((line) => line.startsWith('{"call"'));
    assertSameCalls(
      calls.map((line) => JSON.parse(line) as RecordedCall),
      expectedCalls(),
    );
  });

  it('that ask for guests in the guest fail with 1.17 on Linux, which the probe tells', async () => {
    const { answer, machine } = await kvmProbe(mkdtempSync(join(root, 'n')), { nested: true }).probe({ signal });
    assert.equal(machine, undefined);
    assert.match(answer.reason, /krun_set_nested_virt: Invalid argument/);
  });
});
