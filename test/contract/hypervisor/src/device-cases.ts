import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DISK_SLOTS } from '@a3s-box/core';
import { describe, it } from 'mocha';
import { DISK_BYTES, type Fixture, type HypervisorSuiteOptions } from './fixture.js';

const SECTOR = 512;

/** About 140 KB: more than a pipe holds. */
const FLOOD_LINES = 2000;

export function deviceCases(current: () => Fixture, { floodLines = FLOOD_LINES }: HypervisorSuiteOptions): void {
  describe('disks', () => {
    it('are found by the names of their slots, with size and access as given', async () => {
      const disks = { root: current().disk('r', true), scratch: current().disk('s', false, 2 * DISK_BYTES) };
      const vm = await current().start({ disks });
      using guest = await current().guest(vm);
      const found = (await guest.ask('disks')).split(' ');
      assert.ok(found.includes(`root:${DISK_BYTES / SECTOR}:ro`), found.join(' '));
      assert.ok(found.includes(`scratch:${(2 * DISK_BYTES) / SECTOR}:rw`), found.join(' '));
    });

    it('can be in every slot', async () => {
      const disks = Object.fromEntries(DISK_SLOTS.map((slot) => [slot, current().disk(`in ${slot}`, true)]));
      const vm = await current().start({ disks });
      using guest = await current().guest(vm);
      for (const slot of DISK_SLOTS) assert.equal(await guest.ask(`read ${slot} 0 ${slot.length + 3}`), `in ${slot}`);
    });

    it('take what the guest writes', async () => {
      const scratch = current().disk('', false);
      const vm = await current().start({ disks: { scratch } });
      using guest = await current().guest(vm);
      assert.equal(await guest.ask('write scratch 4096 written by the guest'), 'ok');
      assert.equal(readFileSync(scratch.path).toString('utf8', 4096, 4096 + 20), 'written by the guest');
    });

    it('that are read-only stay as they are', async () => {
      const root = current().disk('original', true);
      const vm = await current().start({ disks: { root } });
      using guest = await current().guest(vm);
      assert.match(await guest.ask('write root 0 changed'), /^error/);
      assert.equal(readFileSync(root.path).toString('utf8', 0, 8), 'original');
    });
  });

  describe('console', () => {
    it('is kept, its end given out', async () => {
      const vm = await current().start();
      using guest = await current().guest(vm);
      await guest.ask('console first line');
      await guest.ask('console last line');
      await consoleShows(vm, 'last line');
      const tail = await vm.consoleTail(1024 * 1024);
      assert.ok(tail.includes('first line') && tail.indexOf('first line') < tail.indexOf('last line'), tail);
      assert.ok((await vm.consoleTail(4)).length <= 4);
    });

    it('may be flooded by the guest, which goes on', async () => {
      const vm = await current().start();
      using guest = await current().guest(vm);
      assert.equal(await guest.ask(`flood ${floodLines}`), 'ok');
      assert.equal(await guest.ask('ping after'), 'pong after');
      assert.ok((await vm.consoleTail(64 * 1024 * 1024)).length <= 4 * 1024 * 1024);
    });
  });
}

/** The console is not in step with the agent: what the guest wrote may still be under way, for a moment. */
async function consoleShows(vm: { consoleTail(bytes: number): Promise<string> }, text: string): Promise<void> {
  const limit = Date.now() + 5000;
  while (!(await vm.consoleTail(1024 * 1024)).includes(text)) {
    assert.ok(Date.now() < limit, `the console does not show "${text}": ${await vm.consoleTail(2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
