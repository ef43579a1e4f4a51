import type { Image } from '../ports/image-store.js';
import type { RunningVm } from '../vm/running-vm.js';
import { Tracer } from '../vm/tracer.js';
import type { BoxSpec } from './box-spec.js';
import { ProcessIo } from './process-io.js';

/** How a box ended. */
export interface BoxExit {
  /** False when how it ended is not known; `code` then means nothing. */
  readonly known: boolean;
  readonly code: number;
  readonly outOfMemory: boolean;
  readonly timedOut: boolean;
  /** Why, where it was not the workload's own end; else empty. */
  readonly reason: string;
  readonly timeNs: bigint;
}

/** Where a box is in its life. */
export type BoxState =
  | { readonly kind: 'created' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly vm: RunningVm; readonly startedNs: bigint }
  | { readonly kind: 'stopping'; readonly vm: RunningVm; readonly startedNs: bigint }
  | { readonly kind: 'exited' | 'dead'; readonly startedNs: bigint; readonly exit: BoxExit };

export interface ExecProcess {
  readonly id: string;
  readonly terminal: boolean;
  readonly io: ProcessIo;
}

/** A box in the supervisor: what was asked for, and what became of it. */
export class Box {
  state: BoxState = { kind: 'created' };
  readonly createdNs = BigInt(Date.now()) * 1_000_000n;
  readonly io = new ProcessIo();
  readonly execs = new Map<string, ExecProcess>();
  readonly tracer = new Tracer();
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<BoxExit>();
  #cancelStart = new AbortController();

  constructor(
    readonly id: string,
    readonly name: string,
    readonly spec: BoxSpec,
    readonly image: Image,
  ) {
    this.#started.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
  }

  /** Host name in the guest: what was asked for, else the short id. */
  get hostname(): string {
    return this.spec.hostname ?? this.id.slice(0, 12);
  }

  /** Resolves when the main process runs. Rejects with why it could not be started. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Resolves with the end of the box, after all that belonged to its run was freed. Rejects when it never started. */
  get ended(): Promise<BoxExit> {
    return this.#ended.promise;
  }

  /** Fires when the start is to be given up. */
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

  /** @param error why the box could not be started */
  failStart(error: unknown): void {
    this.#started.reject(error);
    this.#ended.reject(error);
  }
}
