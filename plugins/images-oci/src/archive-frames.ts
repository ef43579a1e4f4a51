import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { BoxError } from '@a3s-box/core';
import type { ArchiveRecorder } from '@a3s-box/erofs';

const BLOCK = 1024 * 1024;
const BLOCK_HEADER = 8;

/**
 * Keeps what a layer's archive holds besides file data (headers, padding, names), and where its file data lies in the
 * layer's EROFS file, so that the archive can be written again byte for byte without being kept.
 *
 * The content is a sequence of records: two unsigned LEB128 numbers, the count of literal bytes and of stored bytes;
 * the position of the stored bytes, if there are any; the literal bytes, which come before the stored ones in the
 * archive. It is cut in blocks of 1 MiB, and each is kept as its length compressed and its own length, both 32 bits
 * little endian, and a zstd frame. Works synchronously, for worker threads.
 */
export class FrameWriter implements ArchiveRecorder {
  private readonly file: number;
  private readonly block = Buffer.allocUnsafeSlow(BLOCK);
  private filled = 0;
  private literals: Buffer[] = [];
  private literalBytes = 0;
  private storedAt = 0;
  private storedBytes = 0;
  private closed = false;

  constructor(path: string) {
    this.file = openSync(path, 'wx', 0o600);
  }

  frame(bytes: Buffer): void {
    if (this.storedBytes > 0) this.emit();
    this.literals.push(Buffer.from(bytes));
    this.literalBytes += bytes.length;
    if (this.literalBytes > 0xffff) this.emit();
  }

  stored(position: number, length: number): void {
    if (this.storedBytes > 0 && this.storedAt + this.storedBytes === position) {
      this.storedBytes += length;
      return;
    }
    if (this.storedBytes > 0) this.emit();
    this.storedAt = position;
    this.storedBytes = length;
  }

  /** Completes the file and makes it durable. */
  finish(): void {
    this.emit();
    this.flush();
    fsyncSync(this.file);
  }

  /** Idempotent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.file);
  }

  private emit(): void {
    if (this.literalBytes === 0 && this.storedBytes === 0) return;
    const head: number[] = [];
    pushNumber(head, this.literalBytes);
    pushNumber(head, this.storedBytes);
    if (this.storedBytes > 0) pushNumber(head, this.storedAt);
    this.append(Buffer.from(head));
    for (const literal of this.literals) this.append(literal);
    this.literals = [];
    this.literalBytes = 0;
    this.storedBytes = 0;
  }

  private append(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const count = bytes.copy(this.block, this.filled, at);
      this.filled += count;
      at += count;
      if (this.filled === BLOCK) this.flush();
    }
  }

  private flush(): void {
    if (this.filled === 0) return;
    const frame = zstdCompressSync(this.block.subarray(0, this.filled), {
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
    });
    const header = Buffer.alloc(BLOCK_HEADER);
    header.writeUInt32LE(frame.length, 0);
    header.writeUInt32LE(this.filled, 4);
    const bytes = Buffer.concat([header, frame]);
    for (let at = 0; at < bytes.length;) at += writeSync(this.file, bytes, at);
    this.filled = 0;
  }
}

function pushNumber(target: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    target.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  target.push(rest);
}

const COPY = 1024 * 1024;

/**
 * Writes a layer's archive again.
 * @param layer the open EROFS file; stays the caller's
 * @throws IMAGE_CORRUPT when the record does not fit; the caller compares the digest
 */
export async function* replayArchive(framesPath: string, layer: FileHandle): AsyncGenerator<Buffer> {
  await using frames = await open(framesPath);
  const reader = new FrameReader(blocks(frames));
  for (;;) {
    const literal = await reader.number();
    if (literal === undefined) return;
    const stored = await reader.requiredNumber();
    let position = stored > 0 ? await reader.requiredNumber() : 0;
    if (literal > 0) yield await reader.bytes(literal);
    for (let left = stored; left > 0;) {
      const buffer = Buffer.allocUnsafe(Math.min(left, COPY));
      const { bytesRead } = await layer.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw brokenFrames();
      yield buffer.subarray(0, bytesRead);
      position += bytesRead;
      left -= bytesRead;
    }
  }
}

async function* blocks(file: FileHandle): AsyncGenerator<Buffer> {
  const header = Buffer.alloc(BLOCK_HEADER);
  for (let position = 0; ;) {
    const { bytesRead } = await file.read(header, 0, BLOCK_HEADER, position);
    if (bytesRead === 0) return;
    const length = header.readUInt32LE(0);
    if (bytesRead < BLOCK_HEADER || length > 2 * BLOCK) throw brokenFrames();
    const frame = Buffer.alloc(length);
    if ((await file.read(frame, 0, length, position + BLOCK_HEADER)).bytesRead < length) throw brokenFrames();
    const block = decompressed(frame);
    if (block.length !== header.readUInt32LE(4)) throw brokenFrames();
    yield block;
    position += BLOCK_HEADER + length;
  }
}

function decompressed(frame: Buffer): Buffer {
  try {
    return zstdDecompressSync(frame, { maxOutputLength: BLOCK });
  } catch (cause) {
    throw brokenFrames(cause);
  }
}

class FrameReader {
  private readonly source: AsyncIterator<Buffer>;
  private chunk: Buffer = Buffer.alloc(0);
  private at = 0;

  constructor(stream: AsyncIterable<Buffer>) {
    this.source = stream[Symbol.asyncIterator]();
  }

  async number(): Promise<number | undefined> {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      if (this.at === this.chunk.length && !(await this.fill())) {
        if (scale === 1) return undefined;
        throw brokenFrames();
      }
      const byte = this.chunk[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  async requiredNumber(): Promise<number> {
    const value = await this.number();
    if (value === undefined) throw brokenFrames();
    return value;
  }

  async bytes(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = count; left > 0;) {
      if (this.at === this.chunk.length && !(await this.fill())) throw brokenFrames();
      const part = this.chunk.subarray(this.at, this.at + left);
      parts.push(part);
      this.at += part.length;
      left -= part.length;
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  private async fill(): Promise<boolean> {
    const next = await this.source.next();
    if (next.done === true) return false;
    this.chunk = next.value;
    this.at = 0;
    return true;
  }
}

function brokenFrames(cause?: unknown): BoxError {
  return new BoxError('IMAGE_CORRUPT', "a layer's archive record is damaged", {
    hint: 'remove the image and fetch it again',
    ...(cause === undefined ? {} : { cause }),
  });
}
