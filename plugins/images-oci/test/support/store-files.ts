/** What lies in a store's directory, compared with what its images need. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '@a3s-box/core';

/** Asserts that the store holds these images' files and none besides. */
export function assertExactly(directory: string, images: readonly Image[]): void {
  const names = (...path: string[]): string[] => readdirSync(join(directory, ...path)).sort();
  const hex = (digests: Iterable<string>): string[] => [...new Set(digests)].map((digest) => digest.slice(7)).sort();
  assert.deepEqual(names('work'), [], 'work');
  assert.deepEqual(names('layers', 'sha256'), hex(images.flatMap(({ diffIds }) => diffIds)), 'layers');
  assert.deepEqual(names('blobs', 'sha256'), hex(images.flatMap(({ id, digest }) => [id, digest])), 'blobs');
}
