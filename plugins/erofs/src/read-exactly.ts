import type { FileHandle } from 'node:fs/promises';
import { corrupt } from './fault.js';

/** Bytes of a layer's file. @throws IMAGE_CORRUPT when it ends before */
export async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw corrupt("a layer's file system is damaged: its length is not what it must be");
    done += bytesRead;
  }
  return buffer;
}
