import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Writes an archive to stdout, no faster than it is taken. */
export async function printArchive(archive: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of archive) if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
}

/** Writes an archive to a file, which appears when it is complete. */
export async function writeArchive(archive: AsyncIterable<Buffer>, path: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await pipeline(archive, createWriteStream(partial, { flags: 'wx' }));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
