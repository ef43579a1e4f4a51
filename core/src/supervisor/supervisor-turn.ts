import { on } from 'node:events';
import { readFileSync, watch, writeFileSync } from 'node:fs';
import { openProcess, processStartTime } from '@a3s-box/native';
import { listensAt } from '../client/supervisor-launch.js';
import type { HomeLayout } from '../store/home-layout.js';
import { SupervisorLock } from './supervisor-lock.js';

/**
 * Waits until this process may serve a home, or another one does. One that is about to end holds the lock until it has,
 * and one that dies before it serves gives its place to the next.
 *
 * @param signal gives up
 * @returns the lock, or undefined when another supervisor serves the home
 */
export async function awaitTurn(layout: HomeLayout, signal: AbortSignal): Promise<SupervisorLock | undefined> {
  using watcher = watching(layout.run, signal);
  for (;;) {
    const lock = SupervisorLock.tryAcquire(layout.supervisorLock);
    if (lock) {
      writeFileSync(layout.supervisorPid, `${process.pid} ${processStartTime(process.pid)}\n`, { mode: 0o600 });
      return lock;
    }
    if (await listensAt(layout.supervisorSocket, signal)) return undefined;
    using holder = endOfHolder(layout.supervisorPid);
    await Promise.race([watcher.changed(), holder.ended]);
  }
}

function watching(directory: string, signal: AbortSignal) {
  const watcher = watch(directory, { signal });
  // Changes queue up from here on, so that none is missed between a look and the wait for the next one.
  const changes = on(watcher, 'change', { signal });
  let next: Promise<unknown> | undefined;
  return {
    changed: () => (next ??= changes.next().finally(() => (next = undefined))),
    [Symbol.dispose]: () => watcher.close(),
  };
}

/** The end of the process that wrote the file. Resolves at once when it is gone already. */
function endOfHolder(path: string): Disposable & { readonly ended: Promise<void> } {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const [pid, startTime] = readHolder(path).split(' ');
  const handle = pid && startTime ? openProcess(Number(pid), startTime) : undefined;
  handle?.watch(resolve);
  // Without a name to watch, the file that will hold it is a change to wait for.
  if (pid && !handle) resolve();
  return { ended, [Symbol.dispose]: () => handle?.close() };
}

function readHolder(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
