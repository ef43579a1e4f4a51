const NS_PER_MS = 1_000_000n;
/** What a timer of Node's takes at most, milliseconds; one that is given more fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** The end of a box's time, if it has one. */
export class TimeLimit implements Disposable {
  /** Resolves at the limit; never without one. */
  readonly expired: Promise<'expired'>;
  readonly #expired = Promise.withResolvers<'expired'>();
  #timer: NodeJS.Timeout | undefined;

  /** @param limitMs after the start; absent: none @param startedNs nanoseconds since the Unix epoch */
  constructor(limitMs: number | undefined, startedNs: bigint) {
    this.expired = this.#expired.promise;
    if (limitMs !== undefined) this.#arm(Number(startedNs / NS_PER_MS) + limitMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #arm(deadline: number): void {
    const left = deadline - Date.now();
    if (left <= 0) this.#expired.resolve('expired');
    else this.#timer = setTimeout(() => this.#arm(deadline), Math.min(left, LONGEST_TIMER));
  }
}
