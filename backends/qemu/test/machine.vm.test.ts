import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { GuestConnection } from '@a3s-box/contract-hypervisor';
import { cloneScratch } from '../../../core/dist/vm/assets/scratch-disk.js';
import { MIB, VmScope } from './vm-scope.ts';

/** Clock ticks of /proc/PID/stat in a second (USER_HZ, the same on every Linux). */
const TICKS = 100;

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The kernel takes the counter for good about a second after its start; until then its name is tsc-early. */
async function clockSource(guest: GuestConnection): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const source = /clocksource=(\S*)/.exec(await guest.ask('info'))?.[1] ?? '';
    if (source !== 'tsc-early' || attempt === 100) return source;
    await delay(50);
  }
}

describe('a machine of the qemu backend', function () {
  this.timeout(90_000);
  let scope: VmScope;
  beforeEach(() => {
    scope = new VmScope();
  });
  afterEach(() => scope.dispose());

  for (const [vcpus, memoryMib] of [
    [1, 256],
    [4, 256],
    [4, 8192],
  ] as const) {
    it(`boots with ${vcpus} vCPUs and ${memoryMib} MiB, on the TSC clock`, async () => {
      const vm = await scope.start({ shape: { vcpus, memoryBytes: memoryMib * MIB, network: false, share: false } });
      using guest = await scope.guest(vm);
      const info = await guest.ask('info');
      assert.match(info, new RegExp(`vcpus=${vcpus} `));
      const seen = Number(/memory=([0-9]+) kB/.exec(info)?.[1]) / 1024;
      assert.ok(seen > memoryMib * 0.9 && seen <= memoryMib, info);
      assert.equal(await clockSource(guest), 'tsc');
    });
  }

  it('mounts the scratch disk in a moment, twice the same', async () => {
    const path = join(scope.home, 'scratch.img');
    await cloneScratch(path);
    for (const expected of [/^[0-9]+$/, /^[0-9]+$/]) {
      const vm = await scope.start({ disks: { scratch: { path, format: 'raw', readOnly: false } } });
      using guest = await scope.guest(vm);
      assert.match(await guest.ask('mount scratch'), expected);
      await vm.kill();
    }
  });

  it('reads a flat VMDK descriptor as one disk', async () => {
    const [first, second] = [scope.disk('first extent', true), scope.disk('second extent', true)];
    const sectors = MIB / 512;
    const descriptor = join(scope.home, 'image.vmdk');
    const extents = [first.path, second.path].map((path) => `RDONLY ${sectors} FLAT "${path}" 0`);
    const header = [
      '# Disk DescriptorFile',
      'version=1',
      'CID=fffffffe',
      'parentCID=ffffffff',
      'createType="monolithicFlat"',
    ];
    writeFileSync(descriptor, [...header, ...extents, ''].join('\n'));
    const root = { path: descriptor, format: 'vmdk', readOnly: true, extents: [first.path, second.path] } as const;
    const vm = await scope.start({ disks: { root } });
    using guest = await scope.guest(vm);
    const disks = (await guest.ask('disks')).split(' ');
    assert.ok(disks.includes(`root:${2 * sectors}:ro`), disks.join(' '));
    assert.equal(await guest.ask('read root 0 12'), 'first extent');
    assert.equal(await guest.ask(`read root ${MIB} 13`), 'second extent');
  });

  it('carries Ethernet frames behind their length over the network socket', async () => {
    const socket = join(scope.home, 'net.sock');
    const server = createServer().listen(socket);
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const vm = await scope.start({
      shape: { vcpus: 1, memoryBytes: 256 * MIB, network: true, share: false },
      network: { socket, mac: '02:00:00:00:00:01' },
    });
    const [peer] = await accepted;
    peer.on('data', (data: Buffer) => {
      // Back to the sender, with its own text turned round.
      const frame = data.subarray(4, 4 + data.readUInt32BE(0));
      if (frame.readUInt16BE(12) !== 0x88b5) return;
      const text = frame.subarray(14).toString('latin1').replaceAll('\0', '');
      const answer = Buffer.alloc(60);
      answer.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
      answer.write(text.split('').reverse().join(''), 14);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(answer.length);
      peer.write(Buffer.concat([length, answer]));
    });
    using guest = await scope.guest(vm);
    assert.equal(await guest.ask('frame hello'), 'olleh');
    peer.destroy();
    server.close();
  });

  it('costs under 2 % of a core and at most 130 MiB while it idles', async () => {
    const path = join(scope.home, 'scratch.img');
    await cloneScratch(path);
    const vm = await scope.start({ disks: { scratch: { path, format: 'raw', readOnly: false } } });
    using guest = await scope.guest(vm);
    await guest.ask('mount scratch');
    assert.equal(await clockSource(guest), 'tsc');
    await delay(2000);
    const before = cpuSeconds(vm.vmm.pid);
    await delay(5000);
    const share = (cpuSeconds(vm.vmm.pid) - before) / 5;
    assert.ok(share < 0.02, `${(share * 100).toFixed(1)} % of a core`);
    const rollup = readFileSync(`/proc/${vm.vmm.pid}/smaps_rollup`, 'latin1');
    const pssMib = Number(/^Pss:\s+([0-9]+)/m.exec(rollup)?.[1]) / 1024;
    assert.ok(pssMib > 20 && pssMib <= 130, `${pssMib} MiB`);
  });
});
