import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { parseConfig } from '../dist/image-config.js';
import { parseManifest } from '../dist/image-manifest.js';
import { quoted } from '../dist/quoted.js';

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const digest = `sha256:${'a'.repeat(64)}`;
const ESCAPE = '\u001b[2J\u009b31m';

describe('quoted', () => {
  it('leaves nothing that a terminal obeys, and little of what is long', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        fc.constantFrom('utf16le', 'latin1', 'utf8'),
        (input, encoding) => {
          const text = Buffer.from(input).toString(encoding);
          const shown = quoted(text);
          assert.doesNotMatch(shown, /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
          assert.ok(shown.length <= 6 * 123 + 2);
          if (text.length <= 120) assert.equal(JSON.parse(shown), text);
        },
      ),
    );
    assert.equal(quoted('plain/text:1'), '"plain/text:1"');
  });
});

describe('what an image says of itself', () => {
  it('gets into no message as it is', () => {
    const config = { mediaType: `x${ESCAPE}`, digest, size: 1 };
    assert.throws(() => parseManifest(bytes({ schemaVersion: 2, config, layers: [] })), {
      code: 'UNSUPPORTED',
      message: 'manifest is of no container image: its config is "x\\u001b[2J\\u009b31m"',
    });
  });

  it('is no platform unless it is words', () => {
    const rootfs = { type: 'layers', diff_ids: [] };
    for (const platform of [{ os: ESCAPE }, { architecture: 'a b' }, { variant: 'v'.repeat(65) }]) {
      const document = { os: 'linux', architecture: 'amd64', rootfs, ...platform };
      assert.throws(() => parseConfig(bytes(document)), { code: 'IMAGE_CORRUPT', message: /platform/ });
      const entry = { mediaType: 'x', digest, size: 1, platform: { os: 'linux', architecture: 'amd64', ...platform } };
      assert.throws(() => parseManifest(bytes({ schemaVersion: 2, manifests: [entry] })), { code: 'IMAGE_CORRUPT' });
    }
  });

  it('is no image of more layers than a manifest may list', () => {
    const rootfs = { type: 'layers', diff_ids: Array.from({ length: 1025 }, () => digest) };
    assert.throws(() => parseConfig(bytes({ os: 'linux', architecture: 'amd64', rootfs })), { code: 'LIMIT_EXCEEDED' });
  });
});
