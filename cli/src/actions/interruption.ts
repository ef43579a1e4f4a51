import { EndedBySignal } from '../ended-by-signal.js';

const ENDING = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;

/** Turns signals that end a command into an abort, so that it ends with 128 and their number. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #disposables = new DisposableStack();

  constructor() {
    for (const name of ENDING) {
      const listener = () => this.#controller.abort(new EndedBySignal(name));
      process.once(name, listener);
      this.#disposables.defer(() => process.removeListener(name, listener));
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Does what may be aborted. @throws EndedBySignal when it was */
  async guard<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await work(this.signal);
    } catch (error) {
      throw this.signal.aborted ? this.signal.reason : error;
    }
  }

  [Symbol.dispose](): void {
    this.#disposables.dispose();
  }
}
