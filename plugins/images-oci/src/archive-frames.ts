import type { FileHandle } from 'node:fs/promises';
import { constants, createZstdCompress, createZstdDecompress, type ZstdCompress } from 'node:zlib';
import { finished } from 'node:stream/promises';
import { createReadStream, createWriteStream } from 'node:fs';
import { BoxError } from '@a3s-box/core';
import type { ArchiveRecorder } from '@a3s-box/erofs';

/**
 * Keeps what a layer's archive holds besides file data (headers, padding, names), and where its file data lies in the
 * layer's EROFS file, so that the archive can be written again byte for byte without being kept. The file is a zstd
 * stream of records: two unsigned LEB128 numbers, literal bytes that follow and stored bytes to copy; then the
 * position of the stored bytes, if there are any; then the literal bytes. Literal bytes come first.
 */
export class FrameWriter implements ArchiveRecorder {
  private readonly compressor: ZstdCompress;
  private readonly done: Promise<void>;
  private literals: Buffer[] = [];
  private literalBytes = 0;
  private storedAt = 0;
  private storedBytes = 0;

  constructor(path: string) {
    this.compressor = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true });
    this.compressor.on('error', (error) => file.destroy(error));
    this.done = finished(this.compressor.pipe(file));
    // Reported by close; until then nobody waits for it.
    this.done.catch(() => undefined);
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

  /** Completes the file and makes it durable. @throws what writing it threw */
  async close(): Promise<void> {
    this.emit();
    this.compressor.end();
    await this.done;
  }

  /** Gives up. */
  destroy(): void {
    this.compressor.destroy(new Error('cancelled'));
  }

  private emit(): void {
    if (this.literalBytes === 0 && this.storedBytes === 0) return;
    const head: number[] = [];
    pushNumber(head, this.literalBytes);
    pushNumber(head, this.storedBytes);
    if (this.storedBytes > 0) pushNumber(head, this.storedAt);
    this.compressor.write(Buffer.concat([Buffer.from(head), ...this.literals]));
    this.literals = [];
    this.literalBytes = 0;
    this.storedBytes = 0;
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
  const reader = new FrameReader(createReadStream(framesPath).pipe(createZstdDecompress()));
  for (;;) {
    const literal = await reader.number();
    if (literal === undefined) return;
    const stored = await reader.requiredNumber();
    let position = stored > 0 ? await reader.requiredNumber() : 0;
    if (literal > 0) yield await reader.bytes(literal);
    for (let left = stored; left > 0; ) {
      const buffer = Buffer.allocUnsafe(Math.min(left, COPY));
      const { bytesRead } = await layer.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw brokenFrames();
      yield buffer.subarray(0, bytesRead);
      position += bytesRead;
      left -= bytesRead;
    }
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
    for (let left = count; left > 0; ) {
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

function brokenFrames(): BoxError {
  return new BoxError('IMAGE_CORRUPT', "a layer's archive record is damaged", { hint: 'remove the image and fetch it again' });
}
