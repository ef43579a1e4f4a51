import assert from 'node:assert/strict';
import { BackendChooser } from '../../dist/vm/backend-chooser.js';
import { architectureOf, checkImagePlatform, hostArchitecture } from '../../dist/vm/guest-architecture.js';
import type { GuestArchitecture, Hypervisor, HypervisorProbe } from '../../dist/index.js';

const { signal } = new AbortController();
const host = hostArchitecture();
const other: GuestArchitecture = host === 'amd64' ? 'arm64' : 'amd64';
const image = (architecture: string, os = 'linux') => ({ platform: { os, architecture } });

describe("a guest's architecture", () => {
  it("is the host's unless a platform is asked for", () => {
    assert.equal(architectureOf(undefined), host);
    assert.equal(architectureOf('linux/amd64'), 'amd64');
    assert.equal(architectureOf('linux/arm64'), 'arm64');
    assert.equal(architectureOf('linux/arm64/v8'), 'arm64');
  });

  for (const platform of ['', 'arm64', 'linux', 'linux/riscv64', 'linux/amd64/v8', 'linux/arm64/v9', 'windows/amd64']) {
    it(`cannot be that of the platform "${platform}"`, () => {
      assert.throws(() => architectureOf(platform), { code: 'UNSUPPORTED' });
    });
  }

  it('is the image’s', () => {
    checkImagePlatform('x', image(host));
    checkImagePlatform('x', image(host), `linux/${host}`);
    checkImagePlatform('x', image(other), `linux/${other}`);
    assert.throws(() => checkImagePlatform('x', image(host), `linux/${other}`), { code: 'IMAGE_NOT_FOUND' });
    assert.throws(() => checkImagePlatform('x', image(other, 'windows'), `linux/${other}`), {
      code: 'IMAGE_NOT_FOUND',
    });
  });

  it('is never another than the host’s unasked', () => {
    assert.throws(() => checkImagePlatform('x', image(other)), {
      code: 'UNSUPPORTED',
      hint: new RegExp(`run --platform linux/${other}`),
    });
  });

  it('is no matter for images that no guest could be chosen by', () => {
    checkImagePlatform('x', image('386'));
  });
});

describe('the choice of a backend for guests of another architecture', () => {
  const answer = (reason: string, acceleration: HypervisorProbe['acceleration']): HypervisorProbe => ({
    ...{ usable: true, reason, acceleration },
    ...{ capabilities: new Set(), limits: { maxVcpus: 1, minMemoryBytes: 1, maxMemoryBytes: 1 } },
  });
  const backend = (name: string, probe: HypervisorProbe): Hypervisor =>
    ({ name, probe: () => Promise.resolve(probe) }) as Partial<Hypervisor> as Hypervisor;
  const fast = backend('fast', answer('on hardware', 'hardware'));
  const both = backend('both', {
    ...answer('on hardware', 'hardware'),
    foreign: { [other]: answer('in software', 'emulation') },
  });
  const chooser = new BackendChooser([fast, both], { name: undefined });

  it('is of one that has them, with its answer for them', async () => {
    const { hypervisor, probe, architecture } = await chooser.choose(undefined, { signal, architecture: other });
    assert.deepEqual([hypervisor.name, probe.acceleration, architecture], ['both', 'emulation', other]);
    assert.equal((await chooser.choose(undefined, { signal })).hypervisor.name, 'fast');
  });

  it('never is of one that has none', async () => {
    const refused = { code: 'BACKEND_UNAVAILABLE', message: new RegExp(`it runs no ${other} guests`) };
    await assert.rejects(chooser.choose('fast', { signal, architecture: other }), refused);
    const alone = new BackendChooser([fast], { name: undefined });
    await assert.rejects(alone.choose(undefined, { signal, architecture: other }), { code: 'BACKEND_UNAVAILABLE' });
  });

  it('is made anew after none had them', async () => {
    let installed = false;
    const late: Hypervisor = {
      ...fast,
      probe: () =>
        Promise.resolve(
          installed
            ? { ...answer('on hardware', 'hardware'), foreign: { [other]: answer('in software', 'emulation') } }
            : answer('on hardware', 'hardware'),
        ),
    };
    const again = new BackendChooser([late], { name: undefined });
    await assert.rejects(again.choose(undefined, { signal, architecture: other }), { code: 'BACKEND_UNAVAILABLE' });
    installed = true;
    assert.equal((await again.choose(undefined, { signal, architecture: other })).probe.acceleration, 'emulation');
  });
});
