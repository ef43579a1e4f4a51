/** A file in memory, as far as the writers use one. */
import type { FileHandle } from 'node:fs/promises';

export class MemoryFile {
  private readonly pieces: { readonly bytes: Buffer; readonly position: number }[] = [];
  private length = 0;

  /** For what takes an open file; anything but `write` and `truncate` is missing. */
  get handle(): FileHandle {
    return this as unknown as FileHandle;
  }

  write(source: Buffer, offset: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    this.pieces.push({ bytes: Buffer.from(source.subarray(offset, offset + length)), position });
    this.length = Math.max(this.length, position + length);
    return Promise.resolve({ bytesWritten: length });
  }

  truncate(length: number): Promise<void> {
    this.length = length;
    return Promise.resolve();
  }

  bytes(): Buffer {
    const whole = Buffer.alloc(this.length);
    for (const { bytes, position } of this.pieces) bytes.copy(whole, position);
    return whole;
  }
}
