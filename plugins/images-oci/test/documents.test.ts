import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { containerConfigJson, parseConfig } from '../dist/image-config.js';
import { parseManifest, selectPlatform } from '../dist/image-manifest.js';

const digest = `sha256:${'a'.repeat(64)}`;
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const CONFIG = {
  os: 'linux',
  architecture: 'amd64',
  created: '2024-01-01T00:00:00Z',
  rootfs: { type: 'layers', diff_ids: [digest] },
  config: {
    User: 'u',
    Env: ['A=1'],
    Cmd: ['x'],
    Entrypoint: null,
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/v': {} },
    Labels: { a: 'b' },
    Healthcheck: { Test: ['CMD', 'x'], Interval: 5, Retries: 2 },
  },
};
const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 5 };
const MANIFEST = {
  schemaVersion: 2,
  config: { ...descriptor, mediaType: 'application/vnd.oci.image.config.v1+json' },
  layers: [descriptor, descriptor],
};
const INDEX = { schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: 'linux', architecture: 'amd64' } }] };

/** A document with one of its values, at any depth, replaced. */
function altered(document: object, steps: readonly number[], value: unknown): unknown {
  const copy: unknown = structuredClone(document);
  let at = copy as Record<string, unknown>;
  for (const [depth, step] of steps.entries()) {
    const keys = Object.keys(at);
    const key = keys[step % Math.max(1, keys.length)];
    if (key === undefined) break;
    const next = at[key];
    if (depth + 1 < steps.length && typeof next === 'object' && next !== null) {
      at = next as Record<string, unknown>;
    } else {
      at[key] = value;
      break;
    }
  }
  return copy;
}

/** Runs a parser; anything but a result or a clear error fails. */
function sound(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    const clear =
      isBoxError(error) && ['IMAGE_CORRUPT', 'UNSUPPORTED', 'LIMIT_EXCEEDED', 'IMAGE_NOT_FOUND'].includes(error.code);
    assert.ok(clear, String(error));
  }
}

const alteration = fc.tuple(
  fc.constantFrom<object>(CONFIG, MANIFEST, INDEX),
  fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }),
  fc.oneof(fc.jsonValue(), fc.constantFrom(null, '', 0, -1, 1e300, [], {}, [null], 'sha256:../..', '__proto__')),
);

describe('manifests and configs', () => {
  it('that are altered anywhere are read or refused with a clear error', () => {
    fc.assert(
      fc.property(alteration, ([document, steps, value]) => {
        const input = bytes(altered(document, steps, value));
        sound(() => parseConfig(input));
        sound(() => {
          const parsed = parseManifest(input);
          if (parsed.kind === 'index') selectPlatform(parsed, { os: 'linux', architecture: 'amd64' }, 'x');
          else
            for (const { digest: found } of [parsed.config, ...parsed.layers])
              assert.match(found, /^sha256:[0-9a-f]{64}$/);
        });
      }),
      { numRuns: 5000 },
    );
  });

  it('that are any bytes are refused with a clear error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (input) => {
          for (const parse of [parseConfig, parseManifest]) sound(() => parse(input));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('keep what a container needs, there and back', () => {
    const { config, diffIds, platform } = parseConfig(bytes(CONFIG));
    assert.deepEqual(diffIds, [digest]);
    assert.deepEqual(platform, { os: 'linux', architecture: 'amd64' });
    assert.equal(config.entrypoint, undefined);
    assert.deepEqual(config.healthcheck, { test: ['CMD', 'x'], intervalNs: 5, retries: 2 });
    const again = parseConfig(bytes({ ...CONFIG, config: containerConfigJson(config) }));
    assert.deepEqual(again.config, config);
  });

  it('of several platforms give the one that is asked for, by variant where there is one', () => {
    const entry = (platform: object, letter: string) => ({
      ...descriptor,
      digest: `sha256:${letter.repeat(64)}`,
      platform,
    });
    const index = parseManifest(
      bytes({
        schemaVersion: 2,
        manifests: [
          entry({ os: 'linux', architecture: 'arm', variant: 'v6' }, '1'),
          entry({ os: 'linux', architecture: 'arm', variant: 'v7' }, '2'),
          entry({ os: 'linux', architecture: 'arm64', variant: 'v8' }, '3'),
          entry({ os: 'windows', architecture: 'amd64' }, '4'),
          entry({ os: 'linux', architecture: 'amd64' }, '5'),
        ],
      }),
    );
    assert.ok(index.kind === 'index');
    const chosen = (platform: { os: string; architecture: string; variant?: string }) =>
      selectPlatform(index, platform, 'x').digest[7];
    assert.equal(chosen({ os: 'linux', architecture: 'arm', variant: 'v7' }), '2');
    assert.equal(chosen({ os: 'linux', architecture: 'arm64', variant: 'v8' }), '3');
    assert.equal(chosen({ os: 'linux', architecture: 'arm64' }), '3');
    assert.equal(chosen({ os: 'linux', architecture: 'amd64' }), '5');
    assert.throws(() => chosen({ os: 'linux', architecture: 'arm', variant: 'v5' }), { code: 'IMAGE_NOT_FOUND' });
  });
});

describe('token challenges', () => {});
