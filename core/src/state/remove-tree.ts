import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const ALL_OF_OWNER = 0o700;

/**
 * Removes what is at a path, with all that is in it; nothing there is fine. A directory that its owner may not change is made one
 * that he may: a guest decides on modes in its volumes, and keeps nobody from removing them. Nothing else changes there meanwhile.
 * @throws what the system says
 */
export async function removeTree(path: string): Promise<void> {
  try {
    return await rm(path, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
  await openDirectories(path);
  await rm(path, { recursive: true, force: true });
}

async function openDirectories(path: string): Promise<void> {
  const left = [path];
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    if (!(await lstat(place)).isDirectory()) continue;
    await chmod(place, ALL_OF_OWNER);
    for (const name of await readdir(place)) left.push(join(place, name));
  }
}
