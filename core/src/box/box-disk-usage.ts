import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { injectable } from '../kernel/container.js';
import { HomeLayout } from '../store/home-layout.js';
import type { Box } from './box.js';

const BLOCK = 512;

/** What boxes and templates take on the disk of the home. */
@injectable()
export class BoxDiskUsage {
  constructor(private readonly home: HomeLayout) {}

  /** Bytes of its scratch disk and its log that are there, holes left out. */
  of(box: Pick<Box, 'id'>): Promise<number> {
    return allocated(this.home.box(box.id));
  }

  templates(): Promise<number> {
    return allocated(this.home.templates);
  }
}

/** Bytes of the blocks of a file, or of all files in a directory; 0 for what is not there. */
async function allocated(path: string): Promise<number> {
  // What goes away meanwhile takes nothing.
  const stat = await lstat(path).catch(() => undefined);
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.blocks * BLOCK;
  const names = await readdir(path).catch(() => []);
  const sizes = await Promise.all(names.map((name) => allocated(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, stat.blocks * BLOCK);
}
