import { BoxError } from '../errors/box-error.js';

/** The work did not end within its limit. */
export class TimeLimitExceeded extends BoxError {
  constructor(readonly limitMs: number) {
    super('TIMEOUT', `it took longer than ${limitMs} ms`);
  }
}

export interface TimeLimit<T> {
  /** Milliseconds. */
  readonly limitMs: number;
  /** Ends the work early; the call rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Told how work ended that was given up, for its result has no owner. */
  readonly onLate: (outcome: PromiseSettledResult<T>) => void;
}

/**
 * Runs work until it ends, takes too long or is cancelled, whether or not the work heeds the signal that it gets.
 * @throws TimeLimitExceeded
 */
export async function withinTimeLimit<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { limitMs, signal, onLate }: TimeLimit<T>,
): Promise<T> {
  const limit = new AbortController();
  const stop = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
  stop.throwIfAborted();
  const stopped = Promise.withResolvers<never>();
  stop.addEventListener('abort', () => stopped.reject(stop.reason), { once: true });
  const timer = setTimeout(() => limit.abort(new TimeLimitExceeded(limitMs)), limitMs);
  const working = work(stop);
  try {
    return await Promise.race([working, stopped.promise]);
  } catch (error) {
    if (!stop.aborted) throw error;
    void Promise.allSettled([working]).then(([outcome]) => onLate(outcome));
    throw stop.reason;
  } finally {
    clearTimeout(timer);
  }
}
