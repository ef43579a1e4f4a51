import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { DISK_BYTES, type Fixture } from './fixture.js';

export function swapCases(current: () => Fixture, declared: boolean): void {
  describe('swap of a disk', () => {
    if (!declared) {
      it('is refused by name', async () => {
        const { signal } = current();
        const vm = await current().start({ disks: { disk0: current().disk('old', true) } });
        await assert.rejects(vm.swapDisk('disk0', current().disk('new', true), { signal }), { code: 'UNSUPPORTED' });
      });
      return;
    }

    it('puts another image behind the slot, again and again', async () => {
      const { signal } = current();
      const vm = await current().start({ disks: { disk0: current().disk('image 0', true) } });
      using guest = await current().guest(vm);
      assert.equal(await guest.ask('read disk0 0 7'), 'image 0');
      for (const number of [1, 2, 3]) {
        await vm.swapDisk('disk0', current().disk(`image ${number}`, true), { signal });
        assert.equal(await guest.ask('flush disk0'), 'ok');
        assert.equal(await guest.ask('read disk0 0 7'), `image ${number}`);
      }
    });

    it('works on an adopted VM', async () => {
      const { hypervisor, signal } = current();
      const first = await current().start({ disks: { disk1: current().disk('old', true) } });
      await first.close();
      const vm = current().keep(await hypervisor.adopt(first.record, { signal }));
      await vm.swapDisk('disk1', current().disk('new', true), { signal });
      using guest = await current().guest(vm);
      assert.equal(await guest.ask('read disk1 0 3'), 'new');
    });

    it('refuses what does not fit, and leaves the old image', async () => {
      const { signal } = current();
      const vm = await current().start({ disks: { disk0: current().disk('old', true) } });
      const unfit = {
        'an empty slot': vm.swapDisk('disk1', current().disk('new', true), { signal }),
        'a larger image': vm.swapDisk('disk0', current().disk('new', true, 2 * DISK_BYTES), { signal }),
        'another access': vm.swapDisk('disk0', current().disk('new', false), { signal }),
        'a file that is not there': vm.swapDisk(
          'disk0',
          { path: '/nonexistent', format: 'raw', readOnly: true },
          { signal },
        ),
      };
      for (const [what, swap] of Object.entries(unfit)) {
        await assert.rejects(swap, { code: 'INVALID_ARGUMENT' }, what);
      }
      using guest = await current().guest(vm);
      assert.equal(await guest.ask('read disk0 0 3'), 'old');
    });
  });
}
