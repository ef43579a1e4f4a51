import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { BootAssets, Vm, VmSpec } from '@a3s-box/core';
import { DescriptorTable, launchConfined } from '@a3s-box/vmm';
import { findQemu } from '../dist/qemu-binary.js';
import { vmmRights } from '../dist/vm-start.js';
import { contractBoot, qemu } from './test-hypervisor.ts';

const AS_ROOT = process.getuid?.() === 0;
const MIB = 1024 * 1024;
const signal = new AbortController().signal;

describe('a VMM of the qemu backend', function () {
  this.timeout(60_000);
  let home: string;
  let boot: BootAssets;
  let spec: VmSpec;
  let vm: Vm;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'home-'));
    chmodSync(home, 0o700);
    boot = await contractBoot(home);
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
    vm = await qemu(home).create(spec, { signal });
  });
  after(async () => {
    await vm.kill();
    await vm.close();
    rmSync(home, { recursive: true });
  });

  const status = (name: string): string =>
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(readFileSync(`/proc/${vm.vmm.pid}/status`, 'latin1'))?.[1] ?? '';

  it('runs under a user id of its own, in no group, when root started it', function () {
    if (!AS_ROOT) this.skip();
    for (const name of ['Uid', 'Gid']) {
      const ids = new Set(status(name).split('\t').map(Number));
      assert.equal(ids.size, 1);
      const [id = 0] = ids;
      assert.ok(id >= 0x78000000 && id <= 0x7800ffff, `${name} ${id}`);
    }
    assert.equal(status('Groups').trim(), '');
  });

  it('has no capability and cannot get one', () => {
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.equal(status(set), '0'.repeat(16), set);
    if (AS_ROOT) assert.equal(status('CapBnd'), '0'.repeat(16));
    assert.equal(status('NoNewPrivs'), '1');
  });

  it('runs under its own seccomp filter and the two of the launcher', () => {
    assert.equal(status('Seccomp'), '2');
    assert.ok(Number(status('Seccomp_filters')) >= 3, status('Seccomp_filters'));
  });

  it('is in a session of its own and in no directory of ours', () => {
    const stat = readFileSync(`/proc/${vm.vmm.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    assert.equal(stat[3], String(vm.vmm.pid));
    assert.equal(readlinkSync(`/proc/${vm.vmm.pid}/cwd`), '/');
  });

  it('holds no descriptor but of its own files, sockets and events', () => {
    const own = [
      '/memfd:kernel (deleted)',
      boot.initramfs,
      join(spec.directory, 'console'),
      join(home, 'scratch.img'),
      '/dev/null',
    ];
    for (const number of readdirSync(`/proc/${vm.vmm.pid}/fd`)) {
      const target = readlinkSync(`/proc/${vm.vmm.pid}/fd/${number}`);
      assert.ok(own.includes(target) || /^(socket|anon_inode):/.test(target), `descriptor ${number} is ${target}`);
    }
  });

  it('gets nothing of the environment', () => {
    const variables = readFileSync(`/proc/${vm.vmm.pid}/environ`, 'latin1').split('\0').filter(Boolean);
    assert.deepEqual(variables, ['PATH=/usr/bin:/bin', 'LC_ALL=C']);
  });

  it('leaves files to their owner: nothing of the run directory is the VMM’s', function () {
    if (!AS_ROOT) this.skip();
    const listing = execFileSync('find', [home, '!', '-uid', '0'], { encoding: 'utf8' });
    assert.equal(listing, '');
  });

  it('could open nothing but its libraries, in the place of QEMU', async () => {
    // Where the VMM's user can reach it, so that what stops it is the confinement alone.
    const open = mkdtempSync('/tmp/open-');
    try {
      chmodSync(open, 0o755);
      const probe = join(open, 'probe');
      const source = join(import.meta.dirname, '..', '..', '..', 'native', 'test', 'confined-probe.c');
      execFileSync('cc', ['-static', '-D_GNU_SOURCE', '-o', probe, source]);
      writeFileSync(join(open, 'file'), '');
      chmodSync(join(open, 'file'), 0o666);
      const devices = ['/dev/kvm', '/dev/mem', '/dev/null', '/dev/tty'];
      const system = ['/etc/passwd', '/etc/shadow', '/proc/1/environ', '/sys/kernel/mm/ksm/run', '/usr/bin/env', '/'];
      const ours = [vm.agent.socket, boot.kernel, join(home, 'scratch.img'), spec.directory, join(open, 'file')];
      const output = await runInPlaceOfQemu(probe, [...devices, ...system, ...ours]);
      const opened = output.match(/^(read|write|execute) .*=ok$/gm) ?? [];
      assert.deepEqual(opened, []);
      assert.ok(output.includes(`read ${join(open, 'file')}=EACCES`), output);
      for (const call of ['socket unix', 'socket inet', 'connect', 'bind'])
        assert.ok(output.includes(`${call}=EPERM`), call);
    } finally {
      rmSync(open, { recursive: true });
    }
  });

  async function runInPlaceOfQemu(probe: string, paths: readonly string[]): Promise<string> {
    const binary = findQemu();
    assert.ok(binary);
    const rights = vmmRights(spec, { binary, accelerator: { kind: 'tcg', tscKhz: 1 }, fingerprint: 'test' });
    using table = new DescriptorTable();
    const confinement = { ...rights, table, readDescriptors: [], execute: [...rights.execute, probe] };
    const child = await launchConfined(probe, [String(process.pid), vm.agent.socket, ...paths], confinement);
    return (await (child.stderr as Readable).toArray()).join('');
  }
});
