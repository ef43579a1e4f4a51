import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestInitPath, prebuiltIsCurrent, prebuiltManifest, sourcesDigest } from '../index.js';

const ROOT = join(import.meta.dirname, '..');
/** ELF's numbers of them. */
const MACHINES = { x86_64: 62, aarch64: 183 };

for (const [architecture, machine] of Object.entries(MACHINES)) {
  describe(`guest-init prebuilt executable for ${architecture}`, () => {
    it('was made from the sources that are checked in', () => {
      assert.ok(
        prebuiltIsCurrent(architecture),
        'run `npm run prebuild-binary -w @a3s-box/guest-init` and check the result in',
      );
    });

    it('has the digest of its manifest once unpacked', () => {
      const path = guestInitPath(architecture);
      assert.ok(path !== undefined);
      if (!path.includes('prebuilt-')) return;
      assert.equal(
        createHash('sha256').update(readFileSync(path)).digest('hex'),
        prebuiltManifest(architecture)?.sha256,
      );
    });

    it('is a static executable that names no path of the machine it was built on', () => {
      const path = guestInitPath(architecture);
      assert.ok(path !== undefined);
      const binary = readFileSync(path);
      assert.equal(binary.subarray(0, 4).toString('latin1'), '\x7fELF');
      assert.equal(binary.readUInt16LE(18), machine);
      for (const text of [ROOT, '/.cargo/registry', '/rustup/toolchains']) {
        assert.ok(!binary.includes(text), `${text} is in the executable`);
      }
    });

    it('is packed in less than a mebibyte and a quarter', () => {
      assert.ok(readFileSync(join(ROOT, `prebuilt/${architecture}/guest-init.zst`)).length < 1.25 * 2 ** 20);
    });
  });
}

describe('guest-init', () => {
  it('is for no architecture that nobody built it for', () => {
    assert.equal(guestInitPath('mips'), undefined);
    assert.match(sourcesDigest() ?? '', /^[0-9a-f]{64}$/);
  });
});
