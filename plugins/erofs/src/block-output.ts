import type { FileHandle } from 'node:fs/promises';
import { limitExceeded, writeFailure } from './fault.js';
import { BLOCK } from './disk-format.js';

const BUFFER = 1024 * 1024;

/**
 * Writes a file front to back in large pieces. `append` copies and returns at once; the caller awaits {@link drain}
 * now and then, so that little is held in memory. Does not own the file handle.
 */
export class BlockOutput {
  private buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER);
  private filled = 0;
  /** File offset of the buffer's first byte. */
  private start = 0;
  private readonly full: { bytes: Buffer; position: number }[] = [];
  private readonly spare: Buffer[] = [];
  private writing: Promise<void> = Promise.resolve();
  private failure: unknown;

  constructor(
    private readonly file: FileHandle,
    private readonly maxBytes: number,
  ) {}

  /** Offset at which the next byte goes. */
  get position(): number {
    return this.start + this.filled;
  }

  append(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const count = Math.min(bytes.length - at, BUFFER - this.filled);
      this.buffer.set(at === 0 && count === bytes.length ? bytes : bytes.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled === BUFFER) this.queue();
    }
  }

  /** Appends zeros up to an offset; long stretches become a hole in the file. @throws LIMIT_EXCEEDED */
  zeroTo(position: number): void {
    if (position > this.maxBytes) throw limitExceeded(`file system would be larger than ${this.maxBytes} bytes`);
    const room = BUFFER - this.filled;
    if (position - this.position > room) {
      this.queue();
      this.start = position;
      return;
    }
    const count = position - this.position;
    this.buffer.fill(0, this.filled, this.filled + count);
    this.filled += count;
    if (this.filled === BUFFER) this.queue();
  }

  /** Appends zeros up to the next block. @returns the number of that block */
  align(): number {
    const block = Math.ceil(this.position / BLOCK);
    this.zeroTo(block * BLOCK);
    return block;
  }

  /** Resolves when at most one buffer waits to be written. @throws DISK_FULL, LIMIT_EXCEEDED, INTERNAL */
  async drain(): Promise<void> {
    if (this.position > this.maxBytes) throw limitExceeded(`file system would be larger than ${this.maxBytes} bytes`);
    if (this.full.length > 1) await this.writing;
    if (this.failure !== undefined) throw this.failure;
  }

  /** Writes all that waits and sets the file's length. */
  async finish(): Promise<void> {
    const length = this.position;
    this.queue();
    await this.writing;
    if (this.failure !== undefined) throw this.failure;
    await this.file.truncate(length).catch((error: unknown) => {
      throw writeFailure(error, 'a file system');
    });
  }

  private queue(): void {
    if (this.filled === 0) return;
    this.full.push({ bytes: this.buffer.subarray(0, this.filled), position: this.start });
    this.start += this.filled;
    this.filled = 0;
    this.buffer = this.spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER);
    if (this.full.length === 1) this.writing = this.writeAll();
  }

  private async writeAll(): Promise<void> {
    try {
      for (let next = this.full[0]; next !== undefined; next = this.full[0]) {
        let done = 0;
        while (done < next.bytes.length) {
          const { bytesWritten } = await this.file.write(
            next.bytes,
            done,
            next.bytes.length - done,
            next.position + done,
          );
          done += bytesWritten;
        }
        this.spare.push(Buffer.from(next.bytes.buffer, 0, BUFFER));
        this.full.shift();
      }
    } catch (error) {
      this.failure = writeFailure(error, 'a file system');
      this.full.length = 0;
    }
  }
}
