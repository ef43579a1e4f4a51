import { chmod, mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

const PUBLIC = 0o755;

/**
 * Makes a directory where there is none, with those above it, that others than its owner may read, whatever this process's umask
 * is: a box's user is seldom the supervisor's. What is there already keeps its mode.
 * @param path absolute
 */
export async function makePublicDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  const top = resolve(first);
  for (let made = resolve(path); made.length >= top.length; made = dirname(made)) await chmod(made, PUBLIC);
}
