import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Vm } from '@a3s-box/core';
import type { Fixture } from './fixture.js';

export function exitCases(current: () => Fixture): void {
  describe('exit', () => {
    it('of a guest that powers off is told as that', async () => {
      const vm = await current().start();
      using guest = await current().guest(vm);
      await guest.ask('ping up');
      guest.tell('poweroff');
      assert.deepEqual(await vm.exited, { kind: 'powered-off' });
    });

    it('of a guest that panics comes by itself, with the panic on the console', async () => {
      const vm = await current().start();
      using guest = await current().guest(vm);
      await guest.ask('ping up');
      guest.tell('panic');
      const exit = await vm.exited;
      assert.ok(exit.kind === 'powered-off' || exit.kind === 'vmm-failed', exit.kind);
      assert.match(await vm.consoleTail(16 * 1024), /Kernel panic/);
    });

    it('by kill is told as requested', async () => {
      const vm = await current().start();
      await vm.kill();
      const expected = { kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: true };
      assert.deepEqual(await vm.exited, expected);
      assertGone(vm);
    });

    it('by a stranger is told as not requested', async () => {
      const vm = await current().start();
      process.kill(vm.vmm.pid, 'SIGKILL');
      const expected = { kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: false };
      assert.deepEqual(await vm.exited, expected);
      assertGone(vm);
    });

    it('of a VMM that was asked to end is no power-off', async () => {
      const vm = await current().start();
      process.kill(vm.vmm.pid, 'SIGTERM');
      const exit = await vm.exited;
      assert.equal(exit.kind, 'vmm-killed');
    });

    it('leaves kill, close and the console, and nothing else', async () => {
      const { signal } = current();
      const vm = await current().start();
      using guest = await current().guest(vm);
      await guest.ask('console remember this');
      guest.tell('poweroff');
      await vm.exited;
      await Promise.all([vm.kill(), vm.kill()]);
      assert.match(await vm.consoleTail(64 * 1024), /remember this/);
      for (const call of [vm.pause({ signal }), vm.resume({ signal })]) {
        await assert.rejects(
          call,
          (error: { code?: unknown }) => error.code === 'VM_ENDED' || error.code === 'UNSUPPORTED',
        );
      }
      await vm.close();
      await vm.close();
    });

    it('by kill twice at the same time ends once', async () => {
      const vm = await current().start();
      await Promise.all([vm.kill(), vm.kill(), vm.exited]);
      await vm.kill();
      assertGone(vm);
    });
  });
}

function assertGone({ vmm }: Vm): void {
  assert.throws(() => process.kill(vmm.pid, 0), { code: 'ESRCH' });
}
