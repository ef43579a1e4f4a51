import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

const BLOCK_BYTES = 512;

/**
 * Bytes that a directory takes on the disk, with all that is in it; 0 where there is none. Follows no links. What may not be read,
 * which a guest decides in its volumes, is not counted.
 */
export async function sizeOnDisk(path: string): Promise<number> {
  let bytes = 0;
  const left = [path];
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    const status = await lstat(place).catch(unlessHidden);
    if (status === undefined) continue;
    bytes += status.blocks * BLOCK_BYTES;
    if (!status.isDirectory()) continue;
    const directory = await opendir(place).catch(unlessHidden);
    if (directory === undefined) continue;
    for await (const { name } of directory) left.push(join(place, name));
  }
  return bytes;
}

function unlessHidden(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOENT' && code !== 'EACCES') throw error;
  return undefined;
}
