import { once } from 'node:events';
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { BoxError } from '@a3s-box/core';

/** An archive may hold what only its maker is to see. */
const MODE = 0o600;

/** Writes an archive to stdout, no faster than it is taken. */
export async function printArchive(archive: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of archive) if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
}

/**
 * Writes an archive to a file, which appears when it is complete, in the place of one that is there.
 * @param given absolute path @throws INVALID_ARGUMENT where no file can be
 */
export async function writeArchive(archive: AsyncIterable<Buffer>, given: string): Promise<void> {
  const path = await placeOf(given);
  const partial = `${path}.${process.pid}.partial`;
  const file = await make(partial, given);
  try {
    await pipeline(archive, file.createWriteStream());
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Where a link leads is written to. A device, which a file would be put in the place of, is not. */
async function placeOf(given: string): Promise<string> {
  let path: string;
  try {
    path = await realpath(given);
    if ((await stat(path)).isFile()) return path;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return given;
    throw unwritable(given, error);
  }
  throw new BoxError('INVALID_ARGUMENT', `${given} is no file`, {
    hint: 'name one, or leave the option out and pass the output on',
  });
}

async function make(path: string, given: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', MODE);
  } catch (error) {
    throw unwritable(given, error);
  }
}

function unwritable(path: string, cause: unknown): BoxError {
  return new BoxError('INVALID_ARGUMENT', `${path} cannot be written: ${codeOf(cause)}`, {
    hint: 'name a file in a directory that is there and that you may write to',
    cause,
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
