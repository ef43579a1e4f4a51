/** Lets one at a time do what has the same key; others wait for it. */
export class Turns {
  private readonly last = new Map<string, Promise<void>>();

  /** Runs the work after all that came before it with this key. Rejects when the signal fires before its turn. */
  async take<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    const mine = (before ?? Promise.resolve()).then(() => promise);
    this.last.set(key, mine);
    try {
      if (before !== undefined) await unlessAborted(before, signal);
      return await work();
    } finally {
      resolve();
      if (this.last.get(key) === mine) this.last.delete(key);
    }
  }
}

async function unlessAborted(turn: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([turn, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    aborted.promise.catch(() => undefined);
  }
}
