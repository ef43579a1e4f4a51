import assert from 'node:assert/strict';
import type { BootAssets, HypervisorCapability, HypervisorProbe, Logger, TemplateSpec, VmSpec } from '@a3s-box/core';
import type { AccelerationProbe } from '../dist/acceleration-probe.js';
import { QemuHypervisor } from '../dist/qemu-hypervisor.js';

const { signal } = new AbortController();
const MIB = 1024 * 1024;
const limits = { maxVcpus: 1, minMemoryBytes: 128 * MIB, maxMemoryBytes: 512 * MIB };
const boot: BootAssets = { architecture: 'arm64', kernel: '/k', initramfs: '/i' };
const spec = {
  id: 'x',
  directory: '/d',
  boot,
  shape: { vcpus: 1, memoryBytes: 64 * MIB, network: false, share: false },
};

/** QEMU on a host where everything is there, but for guests for arm64 only what is given. */
function hypervisor(arm64: Partial<HypervisorProbe>): QemuHypervisor {
  const all = new Set<HypervisorCapability>(['templates', 'pause']);
  const answer = { usable: true, reason: '', capabilities: all, limits: { ...limits, minMemoryBytes: MIB } };
  const foreign = { arm64: { usable: true, reason: '', capabilities: new Set(['pause']), limits, ...arm64 } };
  const machine = { binary: { path: '/nonexistent', identity: '' }, accelerator: { kind: 'kvm' }, fingerprint: 'f' };
  const usable = foreign.arm64.usable;
  const result = { answer: { ...answer, foreign }, machine, ...(usable && { foreign: machine }) };
  const probe = { probe: () => Promise.resolve(result) };
  return new QemuHypervisor(probe as unknown as AccelerationProbe, { debug() {} } as Partial<Logger> as Logger);
}

describe('a guest with another processor than the host’s', () => {
  it('is refused with the reason where it cannot be emulated, whatever the host’s own can', async () => {
    const none = hypervisor({ usable: false, reason: 'it is not installed' });
    const refused = { code: 'BACKEND_UNAVAILABLE', message: /for arm64 here: it is not installed/ };
    await assert.rejects(none.create(spec as unknown as VmSpec, { signal }), refused);
    await assert.rejects(none.makeTemplate(spec as unknown as TemplateSpec, { signal }), refused);
  });

  it('has limits of its own', async () => {
    const refused = { code: 'INVALID_ARGUMENT', message: /memory/, hint: /128 to 512/ };
    await assert.rejects(hypervisor({}).create({ ...spec, disks: {} }, { signal }), refused);
  });

  it('cannot be a template', async () => {
    const refused = { code: 'UNSUPPORTED', message: /arm64 guests are booted/ };
    await assert.rejects(hypervisor({}).makeTemplate(spec as unknown as TemplateSpec, { signal }), refused);
  });
});
