import { orCancelled, throwIfCancelled } from './cancellation.js';

/** Work that must not overlap. A call that is cancelled lets its work finish, so that the next finds things settled. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** @param what the operation, for example `pause of vm web` @throws CANCELLED, and what the work throws */
  take(what: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(() => {
      throwIfCancelled(signal, what);
      return work();
    });
    this.#last = turn.catch(() => undefined);
    return orCancelled(turn, signal, what);
  }
}
