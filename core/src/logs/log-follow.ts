/** Tells the followers of a log that there is more, in the process that writes it. */
export interface LogFollow {
  /** Grows with every write. Take it before you read, and wait beyond it after. */
  readonly version: number;
  /** Whether nothing will be written any more. */
  readonly ended: boolean;
  /** Resolves when the version is another one, the log has ended or the signal is aborted. Never rejects. */
  beyond(version: number, signal?: AbortSignal): Promise<void>;
}

/** The writer's side of {@link LogFollow}. */
export class LogNotifier implements LogFollow {
  readonly #waiting = new Set<() => void>();
  #version = 0;
  #ended = false;

  get version(): number {
    return this.#version;
  }

  get ended(): boolean {
    return this.#ended;
  }

  beyond(version: number, signal?: AbortSignal): Promise<void> {
    if (this.#ended || version !== this.#version || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      signal?.addEventListener('abort', wake);
      this.#waiting.add(wake);
    });
  }

  /** There is more to read. */
  notify(): void {
    this.#version++;
    for (const wake of [...this.#waiting]) wake();
  }

  /** There will be no more. */
  end(): void {
    this.#ended = true;
    this.notify();
  }
}
