import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootAssets, Vm, VmSpec } from '@a3s-box/core';
import { GuestConnection } from '@a3s-box/contract-hypervisor';
import { libkrunPackagePath } from '@a3s-box/native';
import { contractBoot, libkrunKvm } from './test-hypervisor.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();

describe('a VMM of the libkrun-kvm backend', function () {
  this.timeout(240_000);
  let home: string;
  let boot: BootAssets;
  let spec: VmSpec;
  let vm: Vm;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'home-'));
    chmodSync(home, 0o700);
    boot = await contractBoot(home);
    for (const file of [boot.kernel, boot.initramfs]) chmodSync(file, 0o600);
    const disk = join(home, 'scratch.img');
    writeFileSync(disk, '');
    truncateSync(disk, MIB);
    chmodSync(disk, 0o600);
    spec = {
      id: 'confined',
      directory: mkdtempSync(join(home, 'v')),
      boot,
      shape: { vcpus: 1, memoryBytes: 256 * MIB, network: false, share: false },
      disks: { scratch: { path: disk, format: 'raw', readOnly: false } },
    };
    vm = await libkrunKvm(home).create(spec, { signal });
    using guest = await GuestConnection.open(vm.agent);
    assert.equal(await guest.ask('write scratch 0 written'), 'ok');
  });
  after(async () => {
    await vm.kill();
    await vm.close();
    rmSync(home, { recursive: true });
  });

  const status = (name: string): string =>
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(readFileSync(`/proc/${vm.vmm.pid}/status`, 'latin1'))?.[1] ?? '';

  it('runs under a user id of its own, in the group of /dev/kvm alone', () => {
    for (const name of ['Uid', 'Gid']) {
      const ids = new Set(status(name).split('\t').map(Number));
      assert.equal(ids.size, 1);
      const [id = 0] = ids;
      assert.ok(id >= 0x78000000 && id <= 0x7800ffff, `${name} ${id}`);
    }
    assert.equal(status('Groups').trim(), String(statSync('/dev/kvm').gid));
  });

  it('has no capability and cannot get one', () => {
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      assert.equal(status(set), '0'.repeat(16), set);
    }
    assert.equal(status('NoNewPrivs'), '1');
  });

  it('runs under the two filters of the confining launcher', () => {
    assert.equal(status('Seccomp'), '2');
    assert.equal(status('Seccomp_filters'), '2');
  });

  it('uses files that it could not open itself, and holds no others', () => {
    const own = [
      ...[boot.kernel, boot.initramfs, join(home, 'scratch.img'), libkrunPackagePath(), '/dev/kvm', '/dev/null'],
      ...['console', 'listening'].map((name) => join(spec.directory, name)),
      // What an empty slot before one that is not holds.
      '/memfd:zeros (deleted)',
    ];
    for (const number of readdirSync(`/proc/${vm.vmm.pid}/fd`)) {
      const target = readlinkSync(`/proc/${vm.vmm.pid}/fd/${number}`);
      assert.ok(own.includes(target) || /^(socket|pipe|anon_inode):/.test(target), `descriptor ${number} is ${target}`);
    }
    assert.equal(readFileSync(join(home, 'scratch.img')).toString('latin1', 0, 7), 'written');
  });

  it('leaves files to their owner', () => {
    assert.equal(execFileSync('find', [home, '!', '-uid', '0'], { encoding: 'utf8' }), '');
  });

  it('gets nothing of the environment, and is in a session of its own', () => {
    const variables = readFileSync(`/proc/${vm.vmm.pid}/environ`, 'latin1').split('\0').filter(Boolean);
    assert.deepEqual(variables, ['PATH=/usr/bin:/bin', 'LC_ALL=C']);
    const stat = readFileSync(`/proc/${vm.vmm.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    assert.equal(stat[3], String(vm.vmm.pid));
  });
});
