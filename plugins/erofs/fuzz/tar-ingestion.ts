/**
 * Any bytes are taken for a layer's archive, or refused with a clear error, however they are cut. What is taken gives a
 * file system that an independent reader finds sound, and can be made into the same archive again.
 *
 * Input: a byte whose lowest bit says whether checksums are repaired, a byte for the size of pieces, and the archive.
 */
import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import { writeLayer } from '../dist/index.js';
import { readErofs } from '../test/support/erofs-reader.ts';
import { pieces } from '../test/support/written.ts';
import { archiveSeeds } from './support/archive-seeds.ts';
import { MemoryFile } from './support/memory-file.ts';
import { repairChecksums } from './support/repair.ts';

const LIMITS = { maxBytes: 2 ** 25, maxEntries: 5000 };
const REPAIR = 1;

export const dictionary = [
  ...[
    'path',
    'linkpath',
    'size',
    'mtime',
    'uid',
    'gid',
    'hdrcharset',
    'SCHILY.xattr.user.a',
    'LIBARCHIVE.xattr.user.a',
  ],
  ...['GNU.sparse.map', 'GNU.sparse.size', 'GNU.sparse.major', 'GNU.sparse.minor', 'GNU.sparse.realsize'],
  ...['GNU.sparse.name', 'GNU.sparse.offset', 'GNU.sparse.numbytes', 'security.capability', 'trusted.overlay.opaque'],
  ...['ustar\0', 'ustar  \0', 'tar\0', '.wh.', '.wh..wh..opq', '../', './', '//'],
];

export function* seeds(): Generator<readonly [name: string, input: Buffer]> {
  for (const [name, tar] of archiveSeeds()) {
    yield [name, Buffer.concat([Buffer.from([REPAIR, 255]), tar])];
    if (name.startsWith('pax')) yield [`${name}-as-it-is`, Buffer.concat([Buffer.from([0, 7]), tar])];
  }
}

export async function fuzz(input: Buffer): Promise<void> {
  if (input.length < 2) return;
  const tar = Buffer.from(input.subarray(2));
  if (((input[0] as number) & REPAIR) !== 0) repairChecksums(tar);
  const whole = await written(tar, Math.max(1, tar.length));
  const cut = await written(tar, 1 + (input[1] as number) * 9);
  assert.equal(cut.refusal, whole.refusal, 'the same outcome, however the archive is cut');
  if (whole.layer === undefined || cut.layer === undefined) return;
  assert.ok(whole.layer.equals(cut.layer), 'the same bytes, however the archive is cut');
  readErofs(whole.layer);
  assert.ok(Buffer.concat(whole.record(whole.layer)).equals(tar), 'the archive can be made again');
}

interface Outcome {
  readonly layer?: Buffer;
  readonly refusal?: string;
  /** The archive's bytes, some of them out of the layer. */
  record(layer: Buffer): Buffer[];
}

async function written(tar: Buffer, pieceSize: number): Promise<Outcome> {
  const file = new MemoryFile();
  const parts: (Buffer | { readonly position: number; readonly length: number })[] = [];
  const recorder = {
    frame: (bytes: Buffer) => void parts.push(Buffer.from(bytes)),
    stored: (position: number, length: number) => void parts.push({ position, length }),
  };
  const record = (layer: Buffer): Buffer[] =>
    parts.map((part) => (Buffer.isBuffer(part) ? part : layer.subarray(part.position, part.position + part.length)));
  try {
    const { bytes } = await writeLayer(pieces(tar, pieceSize), file.handle, { ...LIMITS, recorder });
    const layer = file.bytes();
    assert.equal(layer.length, bytes);
    return { layer, record };
  } catch (error) {
    assert.ok(isBoxError(error) && (error.code === 'IMAGE_CORRUPT' || error.code === 'LIMIT_EXCEEDED'), String(error));
    return { refusal: `${error.code}: ${error.message}`, record };
  }
}
