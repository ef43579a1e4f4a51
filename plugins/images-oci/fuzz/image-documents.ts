/**
 * Any bytes are taken for a config, a manifest or index, or the list of a docker-archive, or refused with a clear error.
 * What is taken is usable: digests are digests, names are full names, and a config survives being written again.
 */
import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import { isDigest } from '../dist/digest.js';
import { containerConfigJson, parseConfig } from '../dist/image-config.js';
import { parseManifest, selectPlatform } from '../dist/image-manifest.js';
import { parseDockerManifest } from '../dist/load-docker-archive.js';
import { newConfig } from '../dist/manifest.js';
import { parseReference } from '../dist/reference.js';
import { documentSeeds } from './support/document-seeds.ts';

const EXPECTED = ['IMAGE_CORRUPT', 'UNSUPPORTED', 'LIMIT_EXCEEDED', 'IMAGE_NOT_FOUND', 'INVALID_REFERENCE'];
const PLATFORMS = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64', variant: 'v8' },
  { os: 'linux', architecture: 'arm', variant: 'v6' },
];

export const dictionary = [
  ...['"schemaVersion":2', '"mediaType":', '"digest":', '"size":', '"platform":', '"annotations":', '"layers":'],
  ...['"manifests":', '"config":', '"rootfs":', '"diff_ids":', '"os":', '"architecture":', '"variant":', '"history":'],
  ...['"Env":', '"Cmd":', '"Entrypoint":', '"User":', '"Labels":', '"Volumes":', '"ExposedPorts":', '"WorkingDir":'],
  ...[
    '"StopSignal":',
    '"Healthcheck":',
    '"Test":',
    '"Interval":',
    '"Retries":',
    '"Config":',
    '"RepoTags":',
    '"Layers":',
  ],
  ...[`sha256:${'0'.repeat(64)}`, '"__proto__":', '"constructor":', 'null', 'true', '-1', '1e999', '0.5', '[]', '{}'],
];

export const seeds = documentSeeds;

export function fuzz(input: Buffer): void {
  sound(() => checkConfig(input));
  sound(() => checkManifest(input));
  sound(() => {
    for (const { names } of parseDockerManifest(input)) for (const name of names) parseReference(name);
  });
}

function checkConfig(input: Buffer): void {
  const parsed = parseConfig(input);
  assert.ok(parsed.diffIds.every(isDigest));
  const base = { ...parsed, created: '', createdBy: '', addsLayer: true };
  for (const bytes of [newConfig({ ...base, base: parsed.document }).bytes, newConfig(base).bytes]) {
    const again = parseConfig(bytes);
    assert.deepEqual([again.config, again.platform, again.diffIds], [parsed.config, parsed.platform, parsed.diffIds]);
  }
  assert.deepEqual(Object.getPrototypeOf(containerConfigJson(parsed.config)), Object.prototype);
}

function checkManifest(input: Buffer): void {
  const parsed = parseManifest(input);
  if (parsed.kind === 'manifest') {
    for (const { digest, size } of [parsed.config, ...parsed.layers]) {
      assert.ok(isDigest(digest) && Number.isSafeInteger(size) && size >= 0);
    }
    return;
  }
  for (const platform of PLATFORMS) sound(() => assert.ok(isDigest(selectPlatform(parsed, platform, 'x').digest)));
}

/** Runs a parser; anything but a result or a clear error is a finding. */
function sound(parse: () => void): void {
  try {
    parse();
  } catch (error) {
    if (!isBoxError(error) || !EXPECTED.includes(error.code)) throw error;
    const text = `${error.message}${error.hint}`;
    assert.ok(text.length < 20_000, 'a message of bounded length');
    assert.doesNotMatch(text, /\p{Cc}/u, 'a message that a terminal shows and does not obey');
  }
}
