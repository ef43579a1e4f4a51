import assert from 'node:assert/strict';
import { isTemplateKey, templateKey } from '../../../dist/vm/templates/template-key.js';

const SUBJECT = {
  hypervisor: { name: 'fake' },
  fingerprint: 'f',
  boot: { architecture: 'amd64', kernel: '/a/kernel-1', initramfs: '/a/initramfs-1' },
  shape: { vcpus: 1, memoryBytes: 2 ** 28, network: true, share: false },
} as Parameters<typeof templateKey>[0];

describe('template key', () => {
  it('is a name for a directory', () => {
    assert.ok(isTemplateKey(templateKey(SUBJECT)));
    for (const other of ['', '..', `${templateKey(SUBJECT)}.new`, 'x'.repeat(32)]) assert.ok(!isTemplateKey(other));
  });

  it('does not depend on where the home is, nor on the order in which a shape names its parts', () => {
    const { vcpus, memoryBytes, network, share } = SUBJECT.shape;
    const moved = { ...SUBJECT, boot: { ...SUBJECT.boot, kernel: '/b/kernel-1', initramfs: '/b/initramfs-1' } };
    assert.equal(templateKey(moved), templateKey(SUBJECT));
    assert.equal(templateKey({ ...SUBJECT, shape: { share, network, memoryBytes, vcpus } }), templateKey(SUBJECT));
  });

  const { boot, shape } = SUBJECT;
  const changes: Readonly<Record<string, object>> = {
    backend: { hypervisor: { name: 'other' } },
    fingerprint: { fingerprint: 'g' },
    kernel: { boot: { ...boot, kernel: '/a/kernel-2' } },
    initramfs: { boot: { ...boot, initramfs: '/a/initramfs-2' } },
    'number of vCPUs': { shape: { ...shape, vcpus: 2 } },
    memory: { shape: { ...shape, memoryBytes: 2 ** 29 } },
    network: { shape: { ...shape, network: false } },
    share: { shape: { ...shape, share: true } },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`changes with the ${what}`, () => {
      assert.notEqual(templateKey({ ...SUBJECT, ...change }), templateKey(SUBJECT));
    });
  }
});
