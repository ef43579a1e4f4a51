import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Vm, VmRecord } from '@a3s-box/core';
import { abandon, assertServes } from './deaf-host.js';
import type { Fixture } from './fixture.js';
import { processGone } from './leftovers.js';

/** As another process would find it. */
function onPaper(vm: Vm): VmRecord {
  return JSON.parse(JSON.stringify(vm.record)) as VmRecord;
}

export function adoptCases(current: () => Fixture): void {
  const adopt = async (record: VmRecord): Promise<Vm> =>
    current().keep(await current().hypervisor.adopt(record, { signal: current().signal }));

  describe('adopt', () => {
    it('takes over a VM whose handle was closed', async () => {
      const first = await current().start();
      {
        using guest = await current().guest(first);
        await guest.ask('console said before');
      }
      await first.close();
      process.kill(first.vmm.pid, 0);
      const second = await adopt(onPaper(first));
      assert.deepEqual(second.vmm, first.vmm);
      assert.deepEqual(second.record, first.record);
      using guest = await current().guest(second);
      assert.equal(await guest.ask('ping again'), 'pong again');
      assert.match(await second.consoleTail(64 * 1024), /said before/);
    });

    it('takes over a VM whose host had stopped to read', async () => {
      const vm = await abandon(await current().start(), current(), () => Promise.resolve());
      await assertServes(vm);
    });

    it('sees the end of an adopted VM', async () => {
      const first = await current().start();
      await first.close();
      const vm = await adopt(onPaper(first));
      using guest = await current().guest(vm);
      await guest.ask('ping up');
      guest.tell('poweroff');
      const exit = await vm.exited;
      assert.ok(exit.kind === 'powered-off' || exit.kind === 'unknown', exit.kind);
    });

    it('can kill an adopted VM', async () => {
      const first = await current().start();
      await first.close();
      const vm = await adopt(onPaper(first));
      await vm.kill();
      const exit = await vm.exited;
      assert.equal(exit.kind, 'vmm-killed');
      assert.ok(exit.kind === 'vmm-killed' && exit.requested);
      assert.ok(await processGone(vm.vmm.pid), 'the VMM is still there');
    });

    it('does not find a VM that has ended', async () => {
      const vm = await current().start();
      await vm.kill();
      await assert.rejects(adopt(onPaper(vm)), { code: 'NOT_FOUND' });
    });

    it('takes no other process for the VMM', async () => {
      const vm = await current().start();
      const record = onPaper(vm);
      const other = { ...record, vmm: { ...record.vmm, startTime: '1' } };
      await assert.rejects(adopt(other), { code: 'NOT_FOUND' });
    });

    it('refuses a record of another backend or version', async () => {
      const vm = await current().start();
      const record = onPaper(vm);
      await assert.rejects(adopt({ ...record, backend: 'another' }), { code: 'INVALID_ARGUMENT' });
      await assert.rejects(adopt({ ...record, version: record.version + 1 }), { code: 'INVALID_ARGUMENT' });
    });

    it('cancelled leaves the VM as it is', async () => {
      const first = await current().start();
      await first.close();
      const cancelled = current().hypervisor.adopt(onPaper(first), { signal: AbortSignal.abort() });
      await assert.rejects(cancelled, { code: 'CANCELLED' });
      const vm = await adopt(onPaper(first));
      using guest = await current().guest(vm);
      assert.equal(await guest.ask('ping alive'), 'pong alive');
    });
  });
}
