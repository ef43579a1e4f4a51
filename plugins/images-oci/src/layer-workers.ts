import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { BoxError } from '@a3s-box/core';
import { fixMmapThreshold } from '@a3s-box/native';
import type { LayerJob, LayerResult } from './layer-job.js';
import type { MergedLayers } from '@a3s-box/erofs';
import type { MergeJob } from './merge-job.js';
import { unpackError } from './worker-error.js';
import type { FromWorker, ToWorker } from './worker-stream.js';

/** Bytes of one message to a worker, and messages on the way to one at most. */
const MESSAGE = 256 * 1024;
const WINDOW = 6;

/** Threads at once. Each takes some 50 MB of memory. */
const FEWEST = 2;
const MOST = 4;

/** Blocks from this size on do not stay with malloc; those of the threads are many, and differ in size. Bytes. */
const MAPPED = 128 * 1024;

/** What is young in a thread is mostly buffers, which V8 counts by their handles alone: a small space frees them sooner. */
const YOUNG_MEBIBYTES = 2;

/**
 * Runs the heavy work of a store in worker threads, a few at once. Idle threads are kept for
 * the next job and do not keep the process alive.
 */
export class LayerWorkers implements AsyncDisposable {
  private readonly idle: Worker[] = [];
  private readonly busy = new Set<Worker>();
  private readonly queue: ((worker: Worker) => void)[] = [];
  private closed = false;

  constructor(private readonly most = Math.min(MOST, Math.max(FEWEST, availableParallelism()))) {}

  /**
   * Makes a layer's files from a stream, see `runLayerJob`.
   * @param onBytes is told the bytes of the source that were taken so far
   * @throws what the job throws, what the source throws, CANCELLED; the worker has stopped writing by then
   */
  async layer(
    source: AsyncIterable<Uint8Array>,
    job: LayerJob,
    signal: AbortSignal,
    onBytes?: (bytes: number) => void,
  ): Promise<LayerResult> {
    return this.withWorker(signal, async (worker) => {
      const run = new Run<LayerResult>(worker, signal, onBytes);
      worker.postMessage({ kind: 'layer', job } satisfies ToWorker);
      return run.feed(source);
    });
  }

  /** Makes a merged file system, see `mergeJob`. */
  async merge(job: MergeJob, signal: AbortSignal): Promise<MergedLayers> {
    return this.withWorker(signal, async (worker) => {
      const run = new Run<MergedLayers>(worker, signal);
      worker.postMessage({ kind: 'merge', job } satisfies ToWorker);
      return run.result;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    await Promise.all([...this.idle.splice(0), ...this.busy].map((worker) => worker.terminate()));
  }

  private async withWorker<T>(signal: AbortSignal, use: (worker: Worker) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const worker = await this.acquire();
    let reusable = true;
    try {
      // Much may have happened while all workers were busy.
      signal.throwIfAborted();
      if (this.closed) throw new BoxError('CANCELLED', 'image store was closed');
      reusable = false;
      const result = await use(worker);
      reusable = true;
      return result;
    } finally {
      this.busy.delete(worker);
      // A worker whose job failed may still be writing; ending it makes sure that it is not.
      if (!reusable || this.closed) await worker.terminate();
      this.release(reusable && !this.closed ? worker : undefined);
    }
  }

  private acquire(): Promise<Worker> {
    const worker = this.idle.pop() ?? (this.busy.size < this.most ? this.start() : undefined);
    if (worker === undefined) return new Promise((resolve) => this.queue.push(resolve));
    this.busy.add(worker);
    worker.ref();
    return Promise.resolve(worker);
  }

  private release(worker: Worker | undefined): void {
    const next = this.queue.shift();
    if (next === undefined) {
      worker?.unref();
      if (worker !== undefined) this.idle.push(worker);
      return;
    }
    const given = worker ?? this.start();
    this.busy.add(given);
    next(given);
  }

  private start(): Worker {
    fixMmapThreshold(MAPPED);
    return new Worker(new URL('./layer-worker.js', import.meta.url), {
      name: 'a3s-box-image-layer',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEBIBYTES },
    });
  }
}

/** One job on one worker. */
class Run<T> {
  readonly result: Promise<T>;
  private inFlight = 0;
  private readonly spare: ArrayBuffer[] = [];
  private consumed = 0;
  private settled = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly worker: Worker,
    private readonly signal: AbortSignal,
    private readonly onBytes?: (bytes: number) => void,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onMessage = (message: FromWorker<T>): void => {
      if (message.kind === 'consumed') {
        this.inFlight--;
        this.consumed += message.length;
        this.spare.push(message.buffer);
        this.onBytes?.(this.consumed);
        this.wake?.();
      } else if (message.kind === 'done') resolve(message.result);
      else reject(unpackError(message.error));
    };
    const onError = (error: Error): void =>
      reject(new BoxError('INTERNAL', `image worker failed: ${error.message}`, { cause: error }));
    const onExit = (): void => reject(new BoxError('INTERNAL', 'image worker ended before its job'));
    const onAbort = (): void => reject(cancelled(signal));
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    signal.addEventListener('abort', onAbort, { once: true });
    this.result = promise.finally(() => {
      this.settled = true;
      this.wake?.();
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      signal.removeEventListener('abort', onAbort);
    });
    // Awaited by the caller, which may still be busy with the source.
    this.result.catch(() => undefined);
  }

  /** Sends the source over. A job that fails early ends the reading. */
  async feed(source: AsyncIterable<Uint8Array>): Promise<T> {
    let piece = await this.nextPiece();
    let filled = 0;
    const iterator = source[Symbol.asyncIterator]();
    for (let chunk = await this.take(iterator); chunk !== undefined; chunk = await this.take(iterator)) {
      for (let at = 0; at < chunk.length;) {
        const count = Math.min(chunk.length - at, MESSAGE - filled);
        piece.set(chunk.subarray(at, at + count), filled);
        filled += count;
        at += count;
        if (filled < MESSAGE) continue;
        this.send(piece, filled);
        piece = await this.nextPiece();
        filled = 0;
      }
    }
    if (this.settled) return this.result;
    if (filled > 0) this.send(piece, filled);
    this.signal.throwIfAborted();
    this.worker.postMessage({ kind: 'end' } satisfies ToWorker);
    return this.result;
  }

  /** The source's next chunk; undefined at its end, and when the job has ended, for which a source may let us wait. */
  private take(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.settled) return resolve(this.giveUp(iterator));
      this.wake = () => {
        if (this.settled) resolve(this.giveUp(iterator));
      };
      iterator.next().then(({ done, value }) => resolve(done === true ? undefined : value), reject);
    });
  }

  private giveUp(iterator: AsyncIterator<Uint8Array>): undefined {
    // Not awaited: a source that hangs would keep us as well.
    iterator.return?.().catch(() => undefined);
    return undefined;
  }

  private send({ buffer }: Uint8Array<ArrayBuffer>, length: number): void {
    this.inFlight++;
    this.worker.postMessage({ kind: 'chunk', buffer, length } satisfies ToWorker, [buffer]);
  }

  /** A buffer to fill: one that came back, as long as there are enough under way. */
  private async nextPiece(): Promise<Uint8Array<ArrayBuffer>> {
    while (this.inFlight >= WINDOW && !this.settled) await new Promise<void>((resolve) => (this.wake = resolve));
    return new Uint8Array(this.spare.pop() ?? new ArrayBuffer(MESSAGE));
  }
}

export function cancelled(signal: AbortSignal): BoxError {
  return new BoxError('CANCELLED', 'image operation was cancelled', { cause: signal.reason });
}
