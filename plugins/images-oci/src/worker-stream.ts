import type { LayerJob } from './layer-job.js';
import type { MergeJob } from './merge-job.js';

/** Messages to a worker. */
export type ToWorker =
  | { readonly kind: 'layer'; readonly job: LayerJob }
  | { readonly kind: 'merge'; readonly job: MergeJob }
  /** The buffer is given away, and comes back with `consumed`. */
  | { readonly kind: 'chunk'; readonly buffer: ArrayBuffer; readonly length: number }
  | { readonly kind: 'end' };

/** Messages from a worker. */
export type FromWorker<T> =
  | { readonly kind: 'consumed'; readonly buffer: ArrayBuffer; readonly length: number }
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

/** The chunks that arrive at a worker, as a source. Gives each back when the next is asked for. */
export class PortSource implements AsyncIterable<Buffer> {
  private readonly waiting: { buffer: ArrayBuffer; length: number }[] = [];
  private ended = false;
  private wake: (() => void) | undefined;

  constructor(private readonly consumed: (buffer: ArrayBuffer, length: number) => void) {}

  push(buffer: ArrayBuffer, length: number): void {
    this.waiting.push({ buffer, length });
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
        yield Buffer.from(chunk.buffer, 0, chunk.length);
        this.consumed(chunk.buffer, chunk.length);
      } else if (this.ended) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }
  }
}
