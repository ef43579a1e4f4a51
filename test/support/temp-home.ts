/** A home (A3S_BOX_HOME) for one test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempHome extends AsyncDisposable {
  /** Absolute, mode 0700, short enough for sockets below it. */
  readonly path: string;
  /** The environment for commands that use this home. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes an empty home: `await using home = await tempHome()`. Disposing removes it; what still runs in it then is
 * reported by the leak check at the end of the file.
 */
export async function tempHome(): Promise<TempHome> {
  const path = await mkdtemp(join(tmpdir(), 'h'));
  return {
    path,
    env: { ...process.env, A3S_BOX_HOME: path },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
