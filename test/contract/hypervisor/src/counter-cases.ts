import assert from 'node:assert/strict';
import type { BlockCounters } from '@a3s-box/core';
import { describe, it } from 'mocha';
import type { Fixture } from './fixture.js';

const TEXT = 'counted on the host';

export function counterCases(current: () => Fixture, declared: boolean): void {
  describe('counters of the disks', () => {
    if (!declared) {
      it('are refused by name', async () => {
        const vm = await current().start();
        await assert.rejects(vm.blockCounters({ signal: current().signal }), { code: 'UNSUPPORTED' });
      });
      return;
    }

    it('count what the guest moves, and never go back', async () => {
      const { hypervisor, signal } = current();
      const disks = { scratch: current().disk('', false), disk0: current().disk('to be read', true) };
      const first = await current().start({ disks });
      const counted: BlockCounters[] = [await first.blockCounters({ signal })];
      {
        using guest = await current().guest(first);
        assert.equal(await guest.ask(`write scratch 4096 ${TEXT}`), 'ok');
        assert.equal(await guest.ask('read disk0 0 10'), 'to be read');
        counted.push(await first.blockCounters({ signal }));
      }
      const [before, after] = counted as [BlockCounters, BlockCounters];
      assert.ok(
        after.writtenBytes - before.writtenBytes >= TEXT.length,
        `${before.writtenBytes} ${after.writtenBytes}`,
      );
      assert.ok(after.readBytes - before.readBytes >= 'to be read'.length, `${before.readBytes} ${after.readBytes}`);
      const probe = await hypervisor.probe({ signal });
      if (probe.capabilities.has('swap-disk')) {
        await first.swapDisk('disk0', current().disk('another', true), { signal });
        counted.push(await first.blockCounters({ signal }));
      }
      await first.close();
      const second = current().keep(await hypervisor.adopt(first.record, { signal }));
      counted.push(await second.blockCounters({ signal }));
      for (const [place, { readBytes, writtenBytes }] of counted.entries()) {
        const earlier = counted[place - 1] ?? { readBytes: 0n, writtenBytes: 0n };
        assert.ok(readBytes >= earlier.readBytes && writtenBytes >= earlier.writtenBytes, `figures ${place}`);
      }
    });

    it('of a VM that has ended are not told', async () => {
      const vm = await current().start();
      await vm.kill();
      await assert.rejects(vm.blockCounters({ signal: current().signal }), { code: 'VM_ENDED' });
    });
  });
}
