import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isBoxError } from '../errors/box-error.js';
import { injectable } from '../kernel/container.js';
import { HomeLayout } from '../store/home-layout.js';

/** Room at which work that stopped for want of it goes on, bytes. */
const ENOUGH = 8 * 1024 * 1024;
/** A file system tells nobody that it has room again, so it has to be asked; milliseconds. */
const INTERVAL_MS = 500;

/** The room on the disk of the home. */
@injectable()
export class FreeSpace {
  constructor(private readonly home: HomeLayout) {}

  /** Waits until there is room to go on with. @throws when the signal fires */
  async waitForRoom(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const { bavail, bsize } = await statfs(this.home.root);
      if (bavail * bsize >= ENOUGH) return;
      await delay(INTERVAL_MS, undefined, { signal, ref: false });
    }
  }

  /** Does what must not be lost for want of room: tries again as often as there is room again. */
  async insist<T>(work: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isBoxError(error) || error.code !== 'DISK_FULL') throw error;
        await this.waitForRoom(signal);
      }
    }
  }
}
