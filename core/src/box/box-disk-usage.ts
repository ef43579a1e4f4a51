import { injectable } from '../kernel/container.js';
import { HomeLayout } from '../store/home-layout.js';
import { sizeOnDisk } from '../volumes/size-on-disk.js';
import type { Box } from './box.js';

/** What boxes and templates take on the disk of the home. */
@injectable()
export class BoxDiskUsage {
  constructor(private readonly home: HomeLayout) {}

  /** Bytes of its scratch disk and its log that are there, holes left out. */
  of(box: Pick<Box, 'id'>): Promise<number> {
    return sizeOnDisk(this.home.box(box.id));
  }

  templates(): Promise<number> {
    return sizeOnDisk(this.home.templates);
  }
}
