import { Tracer } from '../vm/tracer.js';
import type { BoxExit } from './box.js';
import { ProcessIo } from './process-io.js';

/** What belongs to one run of a box, from before its start to after its end. */
export class BoxLife {
  readonly io = new ProcessIo();
  readonly tracer = new Tracer();
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<BoxExit>();
  readonly #cancelStart = new AbortController();

  constructor() {
    this.#started.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
  }

  get started(): Promise<void> {
    return this.#started.promise;
  }

  get ended(): Promise<BoxExit> {
    return this.#ended.promise;
  }

  get startSignal(): AbortSignal {
    return this.#cancelStart.signal;
  }

  cancelStart(): void {
    this.#cancelStart.abort();
  }

  succeedStart(): void {
    this.#started.resolve();
  }

  end(exit: BoxExit): void {
    this.#ended.resolve(exit);
  }

  /** @param error why it could not be started */
  fail(error: unknown): void {
    this.#started.reject(error);
    this.#ended.reject(error);
  }
}
