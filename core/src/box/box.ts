import { randomBytes } from 'node:crypto';
import type { Vm } from '../ports/hypervisor.js';
import type { Image } from '../ports/image-store.js';
import type { RunRecord, StoredBox } from '../state/box-table.js';
import type { RunningVm } from '../vm/running-vm.js';
import { SHORT_ID_LENGTH } from '../store/home-layout.js';
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

/** `no-space`: the host's disk is full. `unreachable`: its guest has not answered a new supervisor yet. */
export type PauseReason = 'no-space' | 'unreachable';

/** Where a box is in its life. */
export type BoxState =
  | { readonly kind: 'created' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly vm: RunningVm; readonly run: RunRecord }
  /** Its VM stands still, or does not answer. Kept as `running`: after the supervisor's death the VM itself tells. */
  | { readonly kind: 'paused'; readonly vm: Vm; readonly run: RunRecord; readonly because: PauseReason }
  /** How it ended is known, and what it had is being freed. */
  | { readonly kind: 'stopping'; readonly run: RunRecord; readonly exit: BoxExit }
  | { readonly kind: 'exited' | 'dead'; readonly startedNs: bigint; readonly exit: BoxExit };

export interface ExecProcess {
  readonly id: string;
  readonly terminal: boolean;
  readonly io: ProcessIo;
}

export interface BoxParts {
  /** 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly spec: BoxSpec;
  readonly image: Image;
  readonly createdNs: bigint;
}

/** A box in the supervisor: what was asked for, and what became of it. */
export class Box {
  readonly id: string;
  readonly name: string;
  readonly spec: BoxSpec;
  readonly image: Image;
  readonly createdNs: bigint;
  state: BoxState;
  /** Counts the states that were recorded. */
  generation: number;
  readonly io = new ProcessIo();
  readonly execs = new Map<string, ExecProcess>();
  readonly tracer = new Tracer();
  /** Whether the box is removed when it has ended: it was asked for with the box, or since. */
  goesWithItsEnd: boolean;
  /** Whether volumes that were made for it go when it is removed. */
  volumesGoToo: boolean;
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<BoxExit>();
  readonly #cancelStart = new AbortController();

  constructor({ id, name, spec, image, createdNs }: BoxParts, state: BoxState = { kind: 'created' }, generation = 0) {
    this.id = id;
    this.name = name;
    this.spec = spec;
    this.image = image;
    this.createdNs = createdNs;
    this.state = state;
    this.generation = generation;
    this.goesWithItsEnd = spec.autoRemove;
    this.volumesGoToo = spec.autoRemove;
    this.#started.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
    if (state.kind === 'exited' || state.kind === 'dead') this.#ended.resolve(state.exit);
  }

  /** Host name in the guest: what was asked for, else the short id. */
  get hostname(): string {
    return this.spec.hostname ?? shortId(this.id);
  }

  /** Whether there is, was a moment ago, or will soon be a VM of it. */
  get live(): boolean {
    return ['starting', 'running', 'paused', 'stopping'].includes(this.state.kind);
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

  /** As it is kept. @param state what is to be recorded */
  stored(state: Exclude<BoxState, { kind: 'paused' }>, generation: number): StoredBox {
    const { id, name, spec, image, createdNs } = this;
    const same = { id, name, spec, image, createdNs, generation, state: state.kind };
    switch (state.kind) {
      case 'running':
        return { ...same, startedNs: state.run.startedNs, run: state.run };
      case 'stopping':
        return { ...same, startedNs: state.run.startedNs, run: state.run, exit: state.exit };
      case 'exited':
      case 'dead':
        return { ...same, startedNs: state.startedNs, exit: state.exit };
      case 'created':
      case 'starting':
        return same;
    }
  }
}

/** A new box's full id. */
export function drawBoxId(): string {
  return randomBytes(32).toString('hex');
}

/** The id as it is shown, and the host name of a box that has none of its own. */
export function shortId(id: string): string {
  return id.slice(0, SHORT_ID_LENGTH);
}

/** For an end that nobody saw. */
export function unknownExit(reason: string): BoxExit {
  return { known: false, code: 0, outOfMemory: false, timedOut: false, reason, timeNs: nowNs() };
}

/** Now, nanoseconds since the Unix epoch. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
