import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayPath, prebuiltIsCurrent, prebuiltManifest, sourcesDigest } from '../dist/index.js';

const ROOT = join(import.meta.dirname, '..');

describe("the gateway's prebuilt executable", () => {
  it('was made from the sources that are checked in', () => {
    assert.ok(prebuiltIsCurrent(), 'run `npm run prebuild-binary -w @a3s-box/network-user` and check the result in');
    assert.match(sourcesDigest() ?? '', /^[0-9a-f]{64}$/);
  });

  it('has the digest of its manifest once unpacked', () => {
    const path = gatewayPath();
    assert.ok(path !== undefined);
    if (!path.includes('prebuilt-')) return;
    assert.equal(createHash('sha256').update(readFileSync(path)).digest('hex'), prebuiltManifest()?.sha256);
  });

  it('is static, small, and names no path of the machine it was built on', () => {
    const path = gatewayPath();
    assert.ok(path !== undefined);
    const binary = readFileSync(path);
    assert.equal(binary.subarray(0, 4).toString('latin1'), '\x7fELF');
    assert.ok(binary.length < 1.5 * 1024 * 1024, `${binary.length} bytes`);
    for (const text of [ROOT, '/.cargo/registry', '/rustup/toolchains', '/lib64/ld-linux']) {
      assert.ok(!binary.includes(text), `${text} is in the executable`);
    }
  });
});
