const NS_PER_MS = 1_000_000n;
/** What a timer of Node's takes at most, milliseconds; one that is given more fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** In place of a number of milliseconds: without a limit. It is the largest that a message can hold. */
export const FOR_EVER_MS = 2 ** 32 - 1;

/** The end of a box's time, if it has one. */
export class TimeLimit implements Disposable {
  /** Resolves at the limit; never without one. */
  readonly expired: Promise<'expired'>;
  readonly #expired = Promise.withResolvers<'expired'>();
  #timer: NodeJS.Timeout | undefined;

  /** @param limitMs after the start; absent or {@link FOR_EVER_MS}: none @param startedNs nanoseconds since the Unix epoch */
  constructor(limitMs: number | undefined, startedNs: bigint) {
    this.expired = this.#expired.promise;
    if (limitMs !== undefined && limitMs !== FOR_EVER_MS) this.#arm(Number(startedNs / NS_PER_MS) + limitMs);
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
