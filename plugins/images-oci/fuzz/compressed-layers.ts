/**
 * Any bytes are decompressed, or refused with a clear error, however they are cut: gzip of many members and zstd of many
 * frames as an independent decompressor does it, anything else as it is.
 */
import assert from 'node:assert/strict';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { isBoxError } from '@a3s-box/core';
import { decompress, type OnCompression } from '../dist/decompress.js';

const MAX_OUTPUT = 4 * 1024 * 1024;

export const dictionary = [
  '\x1f\x8b\x08',
  '\x28\xb5\x2f\xfd',
  '\x50\x2a\x4d\x18',
  '\x5f\x2a\x4d\x18',
  'BZh',
  '\xfd7zXZ\0',
];

export function* seeds(): Generator<readonly [name: string, input: Buffer]> {
  const text = Buffer.from('a layer of a few bytes, '.repeat(30));
  const skippable = Buffer.from('502a4d1804000000deadbeef', 'hex');
  const zstd = zstdCompressSync(text);
  const gzip = gzipSync(text);
  const inputs = {
    gzip,
    zstd,
    plain: text,
    'gzip-members': Buffer.concat([gzip, gzipSync(Buffer.from('two'))]),
    'zstd-frames': Buffer.concat([
      zstd,
      skippable,
      zstdCompressSync(Buffer.from('two')),
      zstdCompressSync(Buffer.alloc(0)),
    ]),
    'zstd-skippable-first': Buffer.concat([skippable, zstd]),
    'zstd-run': zstdCompressSync(Buffer.alloc(300_000)),
    'gzip-cut': gzip.subarray(0, gzip.length - 5),
  };
  for (const [name, bytes] of Object.entries(inputs)) yield [name, Buffer.concat([Buffer.from([3]), bytes])];
}

/** Input: a byte for the size of pieces, and the bytes. */
export async function fuzz(input: Buffer): Promise<void> {
  if (input.length === 0) return;
  const bytes = Buffer.from(input.subarray(1));
  const whole = await outcome(bytes, Math.max(1, bytes.length));
  const cut = await outcome(bytes, 1 + (input[0] as number));
  // libzstd looks closer at a frame that it is given whole, and zlib at what lies behind a member's padding when that comes
  // by itself. What one of them lets pass fails at the layer's digest; what both give has to be the same.
  if (whole.compression === 'none') assert.equal(cut.refusal, whole.refusal);
  if (whole.output === undefined || cut.output === undefined) return;
  assert.ok(whole.output.equals(cut.output), 'the same bytes, however they are cut');
  if (whole.output.length >= MAX_OUTPUT) return;
  if (whole.compression === 'none') assert.ok(whole.output.equals(bytes));
  if (whole.compression === 'gzip') assert.ok(whole.output.equals(gunzipSync(bytes)), 'as gunzip has it');
  if (whole.compression === 'zstd') assert.ok(startsWith(whole.output, firstFrame(bytes)), 'as zstd has it');
}

interface Outcome {
  readonly output?: Buffer;
  readonly refusal?: string;
  readonly compression?: string;
}

async function outcome(bytes: Buffer, pieceSize: number): Promise<Outcome> {
  let compression = '';
  const told: OnCompression = (found) => void (compression = found);
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of decompress(pieces(bytes, pieceSize), told)) {
      parts.push(Buffer.from(part));
      length += part.length;
      if (length >= MAX_OUTPUT) break;
    }
    return { output: Buffer.concat(parts).subarray(0, MAX_OUTPUT), compression };
  } catch (error) {
    assert.ok(isBoxError(error) && (error.code === 'IMAGE_CORRUPT' || error.code === 'UNSUPPORTED'), String(error));
    return { refusal: error.message, compression };
  }
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  await Promise.resolve();
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What zstd makes of the input, which may be its first frame only; nothing where that is a skippable one. */
function firstFrame(bytes: Buffer): Buffer {
  return bytes.readUInt32LE(0) === 0xfd2fb528
    ? zstdDecompressSync(bytes, { maxOutputLength: 2 * MAX_OUTPUT })
    : Buffer.alloc(0);
}

function startsWith(whole: Buffer, start: Buffer): boolean {
  return whole.subarray(0, start.length).equals(start);
}
