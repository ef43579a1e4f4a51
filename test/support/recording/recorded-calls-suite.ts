/** Cases about the calls that a backend makes of libkrun. To be called in a mocha file. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootAssets, VmSpec } from '@a3s-box/core';
import type { KrunHypervisor } from '@a3s-box/libkrun';
import { assertSameCalls, type RecordedCall } from './calls.ts';
import { RecordedMachines } from './recorded-machines.ts';

const MIB = 1024 * 1024;
const EXPECTED = join(import.meta.dirname, 'libkrun-calls.json');

/** The calls that make the machine of {@link standardSpec}, whatever the system. Places are left out (calls.ts). */
export function expectedCalls(): RecordedCall[] {
  return JSON.parse(readFileSync(EXPECTED, 'utf8')) as RecordedCall[];
}

/** A box's machine: two processors, an image, a scratch disk, and impersonated sockets with a published port. */
export function standardSpec(root: string, boot: BootAssets): VmSpec {
  const disk = (name: string): string => {
    const path = join(root, name);
    writeFileSync(path, name);
    truncateSync(path, MIB);
    return path;
  };
  return {
    id: 'recorded',
    directory: mkdtempSync(join(root, 'v')),
    boot,
    shape: { vcpus: 2, memoryBytes: 512 * MIB, network: false, share: false },
    disks: {
      root: { path: disk('root'), format: 'raw', readOnly: true },
      scratch: { path: disk('scratch'), format: 'raw', readOnly: false },
    },
    tsi: { ports: [{ hostPort: 8080, guestPort: 80 }] },
  };
}

export function recordedCallsSuite(name: string, machines: () => RecordedMachines): void {
  describe(`calls of ${name}`, () => {
    const { signal } = new AbortController();
    let root: string;
    let hypervisor: KrunHypervisor;
    let spec: VmSpec;
    before(async () => {
      root = mkdtempSync(join(tmpdir(), 'calls-'));
      hypervisor = machines().hypervisor(root);
      spec = standardSpec(root, await RecordedMachines.boot(root));
      const { usable, reason } = await hypervisor.probe({ signal });
      assert.equal(usable, true, reason);
    });
    after(() => rmSync(root, { recursive: true }));

    it('make the machine as every backend does', async () => {
      const vm = await hypervisor.create(spec, { signal });
      const calls = machines().guest(spec.id).calls();
      await vm.kill();
      await vm.close();
      rmSync(spec.directory, { recursive: true });
      spec = { ...spec, directory: mkdtempSync(join(root, 'v')) };
      assertSameCalls(calls, expectedCalls());
    });

    for (const call of ['krun_create_ctx', 'krun_set_kernel', 'krun_add_disk3', 'krun_start_enter']) {
      it(`that fail are told by name: ${call}`, async () => {
        machines().fail({ [call]: -22 });
        await assert.rejects(
          hypervisor.create(spec, { signal }),
          (error: Error & { code?: string; details?: object }) => {
            assert.equal(error.code, 'VM_START_FAILED');
            assert.match(error.message, new RegExp(call));
            const { step, subject, errno } = error.details as Record<string, unknown>;
            assert.deepEqual({ step, subject, errno }, { step: 'call', subject: call, errno: 22 });
            return true;
          },
        );
      });
    }

    it('are not made of a libkrun that lacks what machines need', async () => {
      for (const [variation, reason] of [
        ['WITHOUT_BLK', /without BLK/],
        ['WITHOUT_SET_KERNEL', /too old.*krun_set_kernel/],
      ] as const) {
        const other = machines().hypervisor(mkdtempSync(join(root, 'o')), { variations: [variation] });
        const { usable, reason: told } = await other.probe({ signal });
        assert.equal(usable, false);
        assert.match(told, reason);
        await assert.rejects(other.create(spec, { signal }), { code: 'BACKEND_UNAVAILABLE' });
      }
    });
  });
}
