import assert from 'node:assert/strict';
import { isKeptSmall, machineOptions, translationCacheMib, type Accelerator } from '../dist/machine-options.js';

const MIB = 1024 * 1024;

function options(accelerator: Accelerator, share = false): string {
  const shape = { vcpus: 2, memoryBytes: 512 * MIB, network: false, share };
  return machineOptions({ name: 'x', shape, accelerator, boot: { kernel: '/k', initramfs: '/i' } }).join(' ');
}

describe('machine options', () => {
  it('under emulation run one thread and tell the guest its clock', () => {
    const line = options({ kind: 'tcg', tscKhz: 2_345_678 });
    assert.match(line, /-accel tcg,thread=single,tb-size=64 -cpu max,-erms,-la57/);
    assert.match(line, /no_timer_check clearcpuid=cx16 tsc=reliable tsc_early_khz=2345678/);
  });

  it('with KVM pass the host CPU through and leave the clock to the guest', () => {
    const line = options({ kind: 'kvm' });
    assert.match(line, /-accel kvm -cpu host/);
    assert.doesNotMatch(line, /tsc/);
  });

  it('for arm64 guests are those of the virt machine, with nothing of the host’s clock', () => {
    const line = options({ kind: 'foreign', architecture: 'arm64' });
    assert.match(line, /-M virt,gic-version=3,its=off,acpi=off -m 512M -smp 2/);
    assert.match(line, /-accel tcg,thread=single,tb-size=64 -cpu max,pauth-impdef=on/);
    assert.match(line, /-append console=hvc0 panic=-1 quiet lsm=capability cgroup_disable=io mitigations=off -sandbox/);
    assert.doesNotMatch(line, /tsc|microvm|reboot=t/);
  });

  it('always deny what a VMM has no need of', () => {
    const sandbox = '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';
    for (const kind of [
      { kind: 'kvm' },
      { kind: 'tcg', tscKhz: 1 },
      { kind: 'foreign', architecture: 'arm64' },
    ] as const) {
      const line = options(kind);
      assert.ok(line.includes(sandbox) && line.includes('-nodefaults') && line.includes('-no-reboot'));
    }
  });

  it('share memory only with a shape that has a share', () => {
    assert.match(options({ kind: 'kvm' }, true), /memory-backend-memfd,id=ram,size=512M,share=on/);
    assert.doesNotMatch(options({ kind: 'kvm' }), /memfd/);
  });

  it('save memory for guests of up to 256 MiB alone', () => {
    assert.deepEqual(
      [128, 256, 257, 512].map((mib) => isKeptSmall(mib * MIB)),
      [true, true, false, false],
    );
  });

  it('size the translation cache by the memory, within bounds', () => {
    const sizes = [128, 256, 512, 1024, 4096, 8192, 65536].map((mib) => translationCacheMib(mib * MIB));
    assert.deepEqual(sizes, [11, 16, 64, 128, 256, 256, 256]);
  });
});
