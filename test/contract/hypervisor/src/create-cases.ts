import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { GUEST_ARCHITECTURES, type VmShape, type VmSpec } from '@a3s-box/core';
import { describe, it } from 'mocha';
import type { Fixture, HypervisorSuiteOptions } from './fixture.js';
import { processesOf } from './leftovers.js';

const MIB = 1024 * 1024;

export function createCases(current: () => Fixture, options: HypervisorSuiteOptions): void {
  describe('create', () => {
    it('runs a guest that answers on the agent socket', async () => {
      const vm = await current().start();
      using guest = await current().guest(vm);
      assert.equal(await guest.ask('ping hello'), 'pong hello');
    });

    it('gives out its id, a live process and a record of plain JSON', async () => {
      const { hypervisor, signal } = current();
      const spec = current().spec();
      const vm = current().keep(await hypervisor.create(spec, { signal }));
      assert.equal(vm.id, spec.id);
      process.kill(vm.vmm.pid, 0);
      assert.deepEqual(JSON.parse(JSON.stringify(vm.record)), vm.record);
      assert.equal(vm.record.backend, hypervisor.name);
      assert.equal(vm.record.directory, spec.directory);
      assert.deepEqual(vm.record.vmm, vm.vmm);
    });

    it('gives the guest the CPUs and the memory of its shape', async () => {
      const shape = { vcpus: 2, memoryBytes: 384 * MIB, network: false, share: false };
      const vm = await current().start({ shape });
      using guest = await current().guest(vm);
      const info = await guest.ask('info');
      assert.match(info, /vcpus=2 /);
      const kilobytes = Number(/memory=([0-9]+) kB/.exec(info)?.[1]);
      assert.ok(kilobytes > 300 * 1024 && kilobytes <= 384 * 1024, info);
    });

    it('runs two VMs at the same time', async () => {
      const [one, two] = await Promise.all([current().start(), current().start()]);
      using first = await current().guest(one);
      using second = await current().guest(two);
      assert.deepEqual(await Promise.all([first.ask('ping 1'), second.ask('ping 2')]), ['pong 1', 'pong 2']);
      assert.notEqual(one.vmm.pid, two.vmm.pid);
    });

    refusals(current);
    undeclared(current, options);
    architectures(current);
    cancellation(current);

    it('reports a VMM that ends before it runs, and leaves nothing', async () => {
      const { hypervisor, signal } = current();
      const kernel = join(dirname(current().directory()), 'no-kernel');
      writeFileSync(kernel, 'this is no kernel');
      const spec = current().spec({ boot: { ...current().boot, kernel } });
      await assert.rejects(hypervisor.create(spec, { signal }), { code: 'VM_START_FAILED' });
      assertNothingLeft(spec);
    });
  });
}

function refusals(current: () => Fixture): void {
  const shape = (changes: Partial<VmShape>): VmShape => ({
    ...{ vcpus: 1, memoryBytes: 256 * MIB, network: false, share: false },
    ...changes,
  });
  const absent = { path: '/nonexistent/disk.img', format: 'raw', readOnly: true } as const;
  const cases: Readonly<Record<string, () => Partial<VmSpec>>> = {
    'an id of another form': () => ({ id: 'No_Such_Id' }),
    'no CPU': () => ({ shape: shape({ vcpus: 0 }) }),
    'more CPUs than its limit': () => ({ shape: shape({ vcpus: 100_000 }) }),
    'half a CPU': () => ({ shape: shape({ vcpus: 1.5 }) }),
    'less memory than its limit': () => ({ shape: shape({ memoryBytes: 1 * MIB }) }),
    'memory that is no whole number of MiB': () => ({ shape: shape({ memoryBytes: 256 * MIB + 1 }) }),
    'a disk that is not there': () => ({ disks: { root: absent } }),
    'a slot that does not exist': () => ({ disks: { disk9: current().disk('', true) } as VmSpec['disks'] }),
    'a directory that is not empty': () => ({ directory: dirname(current().disk('', true).path) }),
    'a directory that is not absolute': () => ({ directory: 'relative' }),
    'a share socket without the share': () => ({ shareSocket: '/nonexistent/share.sock' }),
  };
  for (const [what, changes] of Object.entries(cases)) {
    it(`refuses ${what}`, async () => {
      const { hypervisor, signal } = current();
      const spec = current().spec(changes());
      await assert.rejects(hypervisor.create(spec, { signal }), { code: 'INVALID_ARGUMENT' });
    });
  }
}

function undeclared(current: () => Fixture, { capabilities }: HypervisorSuiteOptions): void {
  const needs: Readonly<Record<string, () => Partial<VmSpec>>> = {
    pause: () => ({ paused: true }),
    'network-card': () => ({
      shape: { vcpus: 1, memoryBytes: 256 * MIB, network: true, share: false },
      network: { socket: '/nonexistent/network.sock', mac: '02:00:00:00:00:01' },
    }),
    share: () => ({
      shape: { vcpus: 1, memoryBytes: 256 * MIB, network: false, share: true },
      shareSocket: '/nonexistent/share.sock',
    }),
    'vmdk-disk': () => ({ disks: { root: { ...current().disk('', true), format: 'vmdk', extents: [] } } }),
  };
  for (const [capability, changes] of Object.entries(needs)) {
    if ((capabilities as readonly string[]).includes(capability)) continue;
    it(`refuses what needs ${capability} by name`, async () => {
      const { hypervisor, signal } = current();
      await assert.rejects(hypervisor.create(current().spec(changes()), { signal }), { code: 'UNSUPPORTED' });
    });
  }
}

function architectures(current: () => Fixture): void {
  it('refuses a guest of another architecture that its probe does not offer', async () => {
    const { hypervisor, signal, boot } = current();
    const { foreign = {} } = await hypervisor.probe({ signal });
    for (const architecture of GUEST_ARCHITECTURES) {
      if (architecture === boot.architecture || foreign[architecture]?.usable === true) continue;
      const spec = current().spec({ boot: { ...boot, architecture } });
      await assert.rejects(hypervisor.create(spec, { signal }), { code: 'BACKEND_UNAVAILABLE' });
      assertNothingLeft(spec);
    }
  });
}

function cancellation(current: () => Fixture): void {
  it('cancelled before it began starts nothing', async () => {
    const spec = current().spec();
    await assert.rejects(current().hypervisor.create(spec, { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
    assertNothingLeft(spec);
  });

  it('cancelled at any moment leaves neither process nor file', async () => {
    // Moments between the call and its return, from the first turn of the event loop on.
    for (const wait of [undefined, 1, 3, 6, 10, 15, 20, 25, 30, 40]) {
      const controller = new AbortController();
      const spec = current().spec();
      const created = current().hypervisor.create(spec, controller);
      created.catch(() => undefined);
      await (wait === undefined ? setImmediate() : delay(wait));
      controller.abort();
      const outcome = await created.then(
        (vm) => ({ vm }),
        (error: unknown) => ({ error }),
      );
      if ('vm' in outcome) {
        current().keep(outcome.vm);
        continue;
      }
      assert.equal((outcome.error as { code?: unknown }).code, 'CANCELLED');
      assertNothingLeft(spec);
    }
  });
}

function assertNothingLeft(spec: VmSpec): void {
  assert.deepEqual(readdirSync(spec.directory), []);
  assert.deepEqual(processesOf(spec.directory), []);
}
