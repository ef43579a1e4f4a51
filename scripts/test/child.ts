/** Child processes of the test runner: groups of their own, so that a whole group can be ended. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';

const running = new Set<ChildProcess>();

/** Starts a command as leader of a process group; it is ended with the runner. */
export function startChild(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(program, [...args], { ...options, detached: true });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/** Kills a child and all of its process group. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Kills the child's group when the signal fires, until disposed. */
export function killOnAbort(child: ChildProcess, signal: AbortSignal): Disposable {
  const kill = (): void => killGroup(child);
  if (signal.aborted) kill();
  signal.addEventListener('abort', kill);
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', kill) };
}

export function killAllChildren(): void {
  for (const child of running) killGroup(child);
}

/** How a child ended, for messages; undefined for success. Resolves when it has exited, not when its pipes close. */
export function ended(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `status ${code}`)));
  });
}
