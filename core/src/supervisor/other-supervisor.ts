import { on } from 'node:events';
import { watch } from 'node:fs';
import { dirname } from 'node:path';
import { listensAt } from '../client/supervisor-launch.js';

/**
 * Waits until the supervisor that holds a home's lock listens.
 *
 * @param socket absolute path; its directory exists
 * @param signal gives up
 */
export async function otherSupervisorListens(socket: string, signal: AbortSignal): Promise<void> {
  const watcher = watch(dirname(socket), { signal });
  // Changes queue up from here on, so that none is missed between a look and the wait for the next one.
  const changes = on(watcher, 'change', { signal });
  try {
    while (!(await listensAt(socket, signal))) await changes.next();
  } finally {
    watcher.close();
  }
}
