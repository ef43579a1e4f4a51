import { lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** As many links as Linux follows in one path (path_resolution(7)). */
const MOST_LINKS = 40;

/** Parts of a path, without what says nothing; `..` does not lead above the root. */
export function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

/**
 * Follows the links of a path as a process does that has a directory for its root: none leads out of it.
 * @param root absolute path without links @param path relative to the root, or absolute as that process sees it
 * @returns the path relative to the root, without links; undefined when there is nothing
 * @throws Error of the system, ELOOP for links in a circle
 */
export async function rootedPath(root: string, path: string): Promise<string | undefined> {
  const pending = path.split('/').reverse();
  const done: string[] = [];
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = join(root, ...done, part);
    const found = await lstat(here).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (found === undefined) return undefined;
    if (!found.isSymbolicLink()) {
      done.push(part);
      continue;
    }
    if (++links > MOST_LINKS) throw Object.assign(new Error(`too many links in ${path}`), { code: 'ELOOP' });
    const target = await readlink(here);
    if (target.startsWith('/')) done.length = 0;
    pending.push(...target.split('/').reverse());
  }
  return done.join('/');
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
