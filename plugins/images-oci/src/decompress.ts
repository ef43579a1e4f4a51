import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Transform } from 'node:stream';
import { BoxError } from '@a3s-box/core';
import { ZstdFrameSplitter } from './zstd-frames.js';

const OUTPUT = 128 * 1024;
const LONGEST_MAGIC = 6;

const REFUSED: readonly (readonly [name: string, magic: readonly number[]])[] = [
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
];

/** Told what the source is compressed with, before its first bytes are handed on. */
export type OnCompression = (compression: 'gzip' | 'zstd' | 'none') => void;

/**
 * Decompresses gzip and zstd, told by their first bytes, and passes anything else on as it is. A chunk of the source is
 * not touched any more once the next one is asked for.
 * @throws IMAGE_CORRUPT when the data is damaged or cut off, UNSUPPORTED for other compressions
 */
export async function* decompress(
  source: AsyncIterable<Buffer>,
  onCompression?: OnCompression,
): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < LONGEST_MAGIC) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const whole = rejoin(head, iterator);
  const starts = (magic: readonly number[]): boolean => magic.every((byte, index) => head[index] === byte);
  const refused = REFUSED.find(([, magic]) => starts(magic));
  if (refused !== undefined) {
    throw new BoxError('UNSUPPORTED', `archive is compressed with ${refused[0]}, which is not supported`, {
      hint: 'compress it with gzip or zstd, or not at all',
    });
  }
  const gzip = starts([0x1f, 0x8b]);
  const zstd = starts([0x28, 0xb5, 0x2f, 0xfd]) || isSkippable(head);
  onCompression?.(gzip ? 'gzip' : zstd ? 'zstd' : 'none');
  try {
    if (gzip) yield* through(createGunzip({ chunkSize: OUTPUT }), whole);
    else if (zstd) yield* unzstd(whole);
    else yield* whole;
  } catch (error) {
    throw decodingFailure(error);
  }
}

function isSkippable(head: Buffer): boolean {
  return head.length >= 4 && (head.readUInt32LE(0) & 0xfffffff0) >>> 0 === 0x184d2a50;
}

async function* rejoin(head: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

/** Decompresses all frames, one behind the other. */
async function* unzstd(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const splitter = new ZstdFrameSplitter();
  const frames = splitFrames(source, splitter);
  for (;;) {
    const first = await frames.next();
    if (first.done === true) break;
    yield* through(createZstdDecompress({ chunkSize: OUTPUT }), oneFrame(first.value, frames));
  }
  if (!splitter.complete) throw new BoxError('IMAGE_CORRUPT', 'zstd data is cut off');
}

interface FramePiece {
  readonly bytes: Buffer;
  readonly last: boolean;
}

async function* splitFrames(source: AsyncIterable<Buffer>, splitter: ZstdFrameSplitter): AsyncGenerator<FramePiece> {
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const { end, frameEnded } = splitter.advance(chunk, at);
      yield { bytes: chunk.subarray(at, end), last: frameEnded };
      at = end;
    }
  }
}

async function* oneFrame(first: FramePiece, rest: AsyncIterator<FramePiece>): AsyncGenerator<Buffer> {
  yield first.bytes;
  let last = first.last;
  while (!last) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value.bytes;
    last = next.value.last;
  }
}

/** Runs a source through a transform, with back pressure, and hands on what either throws. */
async function* through(transform: Transform, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let failure: unknown;
  // For as long as it lives: it may fail when its output was read to the end, on what lies behind that.
  transform.on('error', (error) => (failure ??= error));
  const feeding = feed(transform, source);
  try {
    yield* transform as AsyncIterable<Buffer>;
    await feeding;
    if (failure !== undefined) throw failure;
  } finally {
    transform.destroy();
    await feeding.catch(() => undefined);
  }
}

async function feed(transform: Transform, source: AsyncIterable<Buffer>): Promise<void> {
  try {
    for await (const chunk of source) {
      if (transform.destroyed) return;
      await written(transform, chunk);
    }
    transform.end();
  } catch (error) {
    transform.destroy(error as Error);
    throw error;
  }
}

/** Resolves when the transform has worked on the chunk, or never will: what fails is reported where its output is read. */
function written(transform: Transform, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      transform.off('close', done);
      resolve();
    };
    transform.on('close', done);
    transform.write(chunk, done);
  });
}

function decodingFailure(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  const hint = 'fetch or build the archive again';
  if (typeof code === 'string' && /^(Z_|ZSTD_|ERR_ZLIB)/.test(code)) {
    return new BoxError('IMAGE_CORRUPT', `compressed data is damaged or cut off: ${(error as Error).message}`, {
      hint,
      cause: error,
    });
  }
  // Node's gunzip ends its output where padding starts, and then fails so on a member behind that.
  if (code === 'ERR_STREAM_PUSH_AFTER_EOF') {
    return new BoxError('IMAGE_CORRUPT', 'compressed data has more behind its padding', { hint, cause: error });
  }
  return error;
}
