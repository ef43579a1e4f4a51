import { addon } from './addon.js';

/**
 * Has malloc map blocks from this size on and give them back to the system when they are freed. Without it glibc raises that size with each
 * large block that is freed, up to 32 MiB, and keeps them in its heaps, of which each thread may have one (mallopt(3), M_MMAP_THRESHOLD).
 *
 * @param bytes at most 32 MiB
 * @returns whether there is such a setting, which is so with glibc
 */
export function fixMmapThreshold(bytes: number): boolean {
  return process.platform === 'linux' && addon().fixMmapThreshold(bytes);
}
