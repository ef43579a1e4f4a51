import { BoxError } from '@a3s-box/core';

/** Rejects with CANCELLED as soon as the signal fires, otherwise settles as `work` does. Leaves `work` running. */
export async function orCancelled<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  throwIfCancelled(signal, what);
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(cancelled(signal, what));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** @param what the operation, for example `start of vm web` */
export function throwIfCancelled(signal: AbortSignal, what: string): void {
  if (signal.aborted) throw cancelled(signal, what);
}

function cancelled(signal: AbortSignal, what: string): BoxError {
  return new BoxError('CANCELLED', `${what} was cancelled`, { cause: signal.reason });
}
