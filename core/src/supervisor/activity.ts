/**
 * What keeps a supervisor alive: each box and each call is one use. Tells when there has been none for a while.
 */
export class Activity implements Disposable {
  #uses = 0;
  #timer: NodeJS.Timeout | undefined;
  #idle: { readonly limitMs: number; readonly callback: () => void } | undefined;

  /** Something is in use until the result is disposed of; disposing twice counts once. */
  begin(): Disposable {
    let counted = true;
    this.#count(1);
    return {
      [Symbol.dispose]: () => {
        if (counted) this.#count(-1);
        counted = false;
      },
    };
  }

  /** Calls back once nothing has been in use for `limitMs` without a break, counted from now at the earliest. */
  onIdle(limitMs: number, callback: () => void): void {
    this.#idle = { limitMs, callback };
    this.#count(0);
  }

  [Symbol.dispose](): void {
    this.#idle = undefined;
    clearTimeout(this.#timer);
  }

  #count(change: number): void {
    this.#uses += change;
    clearTimeout(this.#timer);
    if (this.#uses === 0 && this.#idle) this.#timer = setTimeout(this.#idle.callback, this.#idle.limitMs);
  }
}
