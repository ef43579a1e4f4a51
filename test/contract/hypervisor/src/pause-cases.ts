import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { abandon, assertServes } from './deaf-host.js';
import type { Fixture } from './fixture.js';

/** A guest that runs answers within this many times less; silence for so long shows that it does not run. */
const SILENCE_MS = 300;

export function pauseCases(current: () => Fixture, declared: boolean): void {
  describe('pause', () => {
    if (!declared) {
      it('is refused by name', async () => {
        const { signal } = current();
        const vm = await current().start();
        await assert.rejects(vm.pause({ signal }), { code: 'UNSUPPORTED' });
        await assert.rejects(vm.resume({ signal }), { code: 'UNSUPPORTED' });
      });
      return;
    }

    it('stops the guest until resume; both may be called again', async () => {
      const { signal } = current();
      const vm = await current().start();
      using guest = await current().guest(vm);
      await guest.ask('ping up');
      await vm.pause({ signal });
      await vm.pause({ signal });
      const answer = guest.ask('ping later');
      assert.equal(await Promise.race([answer, delay(SILENCE_MS, 'silence')]), 'silence');
      await vm.resume({ signal });
      await vm.resume({ signal });
      assert.equal(await answer, 'pong later');
    });

    it('is there from the start when asked for', async () => {
      const { signal } = current();
      const vm = await current().start({ paused: true });
      await delay(SILENCE_MS);
      assert.equal(await vm.consoleTail(1024), '');
      await vm.resume({ signal });
      using guest = await current().guest(vm);
      assert.equal(await guest.ask('ping up'), 'pong up');
    });

    it('over the end of a host that read no more does not keep the guest from the next host', async () => {
      const { signal } = current();
      const first = await current().start();
      const second = await abandon(first, current(), () => first.pause({ signal }));
      await second.resume({ signal });
      await assertServes(second);
    });

    it('does not keep a VM from being killed', async () => {
      const vm = await current().start();
      await vm.pause({ signal: current().signal });
      await vm.kill();
      assert.equal((await vm.exited).kind, 'vmm-killed');
    });

    it('cancelled is told as that', async () => {
      const vm = await current().start();
      await assert.rejects(vm.pause({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
    });

    it('of a VM that has ended fails', async () => {
      const vm = await current().start();
      await vm.kill();
      await assert.rejects(vm.pause({ signal: current().signal }), { code: 'VM_ENDED' });
    });
  });
}
