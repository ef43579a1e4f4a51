import type { LayerJob } from './layer-job.js';
import type { MergeJob } from './merge-job.js';

/** Messages to a worker. */
export type ToWorker =
  | { readonly kind: 'layer'; readonly job: LayerJob }
  | { readonly kind: 'merge'; readonly job: MergeJob }
  | { readonly kind: 'chunk'; readonly bytes: ArrayBuffer }
  | { readonly kind: 'end' };

/** Messages from a worker. */
export type FromWorker<T> =
  | { readonly kind: 'consumed'; readonly bytes: number }
  | { readonly kind: 'done'; readonly result: T }
  | { readonly kind: 'failed'; readonly error: PackedError };

/** An error as it crosses between threads. */
export interface PackedError {
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly stack?: string;
}

/** The chunks that arrive at a worker, as a source. Reports what was taken, so that the sender can wait. */
export class PortSource implements AsyncIterable<Buffer> {
  private readonly waiting: Buffer[] = [];
  private ended = false;
  private wake: (() => void) | undefined;

  constructor(private readonly consumed: (bytes: number) => void) {}

  push(chunk: Buffer): void {
    this.waiting.push(chunk);
    this.wake?.();
  }

  end(): void {
    this.ended = true;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = this.waiting.shift();
      if (chunk !== undefined) {
        yield chunk;
        this.consumed(chunk.length);
      } else if (this.ended) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }
  }
}
