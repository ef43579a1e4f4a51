import { randomBytes } from 'node:crypto';
import type { Vm } from '../ports/hypervisor.js';
import type { Image } from '../ports/image-store.js';
import type { RunRecord, StoredBox } from '../state/box-table.js';
import type { RunningVm } from '../vm/running-vm.js';
import { SHORT_ID_LENGTH } from '../store/home-layout.js';
import type { Tracer } from '../vm/tracer.js';
import { BoxLife } from './box-life.js';
import type { BoxSpec } from './box-spec.js';
import type { Health } from './health-check.js';
import type { ProcessIo } from './process-io.js';
import { Turns } from './turns.js';

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

/**
 * `user`: it was asked for. `no-space`: the host's disk is full. `unreachable`: its guest has not answered a new supervisor
 * yet.
 */
export type PauseReason = 'user' | 'no-space' | 'unreachable';

/** A state in which nothing of a box runs, and from which it can be started. */
export type RestingState =
  | { readonly kind: 'created' }
  | { readonly kind: 'exited' | 'dead'; readonly startedNs: bigint; readonly exit: BoxExit };

/** Where a box is in its life. */
export type BoxState =
  | RestingState
  /** `before`: to where it goes back when the start comes to nothing; absent for one that is gone then. */
  | { readonly kind: 'starting'; readonly before?: RestingState }
  | { readonly kind: 'running'; readonly vm: RunningVm; readonly run: RunRecord }
  /** Its VM stands still, or does not answer. Kept as `running`: after the supervisor's death the VM itself tells. */
  | { readonly kind: 'paused'; readonly vm: Vm; readonly run: RunRecord; readonly because: PauseReason }
  /** How it ended is known, and what it had is being freed. */
  | { readonly kind: 'stopping'; readonly run: RunRecord; readonly exit: BoxExit };

/** What is kept of a box beside what was asked for and its state. */
export interface BoxMarks {
  /** How often it was started again by its restart policy since it was started by its user. */
  readonly restarts: number;
  /** Its user ended it, so that no policy starts it again. */
  readonly stoppedByUser: boolean;
  /** Its user paused it; only while it runs. */
  readonly pausedByUser: boolean;
  /** Why its last start came to nothing; else empty. */
  readonly startError: string;
}

export const NO_MARKS: BoxMarks = { restarts: 0, stoppedByUser: false, pausedByUser: false, startError: '' };

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
  /** Absent: none. */
  readonly marks?: BoxMarks | undefined;
  /** Absent: not known yet. */
  readonly health?: Health | undefined;
}

/** A box in the supervisor: what was asked for, and what became of it. */
export class Box {
  readonly id: string;
  name: string;
  spec: BoxSpec;
  marks: BoxMarks;
  /** Of its last run; undefined before its first probe. */
  health: Health | undefined;
  readonly image: Image;
  readonly createdNs: bigint;
  state: BoxState;
  /** Counts the states that were recorded. */
  generation: number;
  readonly execs = new Map<string, ExecProcess>();
  /** Starts, removals and changes of a box take turns. What ends it does not wait. */
  readonly turns = new Turns();
  /** Whether the box is removed when it has ended: it was asked for with the box, or since. */
  goesWithItsEnd: boolean;
  /** Whether volumes that were made for it go when it is removed. */
  volumesGoToo: boolean;
  /** Whether its record and all that was its own are gone. */
  gone = false;
  /** What its user has asked for that is going on: it is told with the end, or the start, that comes of it. */
  asked: 'stop' | 'restart' | undefined;
  /** Takes back that the box is to be started again, while that is so. */
  cancelRestart: (() => void) | undefined;
  #life = new BoxLife();

  constructor(parts: BoxParts, state: BoxState = { kind: 'created' }, generation = 0) {
    const { id, name, spec, image, createdNs, marks = NO_MARKS, health } = parts;
    this.id = id;
    this.name = name;
    this.spec = spec;
    this.marks = marks;
    this.health = health;
    this.image = image;
    this.createdNs = createdNs;
    this.state = state;
    this.generation = generation;
    this.goesWithItsEnd = spec.autoRemove;
    this.volumesGoToo = spec.autoRemove;
    if (state.kind === 'exited' || state.kind === 'dead') this.#life.end(state.exit);
  }

  /** Host name in the guest: what was asked for, else the short id. */
  get hostname(): string {
    return this.spec.hostname ?? shortId(this.id);
  }

  /** Whether there is, was a moment ago, or will soon be a VM of it. */
  get live(): boolean {
    return ['starting', 'running', 'paused', 'stopping'].includes(this.state.kind);
  }

  /** The streams of its main process. */
  get io(): ProcessIo {
    return this.#life.io;
  }

  /** Spans of its last start. */
  get tracer(): Tracer {
    return this.#life.tracer;
  }

  /** Whether it is to be started again by its policy in a moment. */
  get restarting(): boolean {
    return this.cancelRestart !== undefined;
  }

  /** Resolves when the main process runs. Rejects with why it could not be started. */
  get started(): Promise<void> {
    return this.#life.started;
  }

  /**
   * Resolves with the end of the run that there is, was last, or will be first, after all that belonged to it was freed.
   * Rejects when it never started.
   */
  get ended(): Promise<BoxExit> {
    return this.#life.ended;
  }

  /** Fires when the start is to be given up. */
  get startSignal(): AbortSignal {
    return this.#life.startSignal;
  }

  /** One more run, with streams and an end of its own. Whoever has those of the run before keeps them. */
  renew(): void {
    this.#life = new BoxLife();
    this.health = undefined;
    this.execs.clear();
  }

  cancelStart(): void {
    this.#life.cancelStart();
  }

  succeedStart(): void {
    this.#life.succeedStart();
  }

  end(exit: BoxExit): void {
    this.#life.end(exit);
  }

  /** @param error why the box could not be started */
  failStart(error: unknown): void {
    this.#life.fail(error);
  }

  /** As it is kept. @param state what is to be recorded @param change what is to be recorded with it */
  stored(state: BoxState, generation: number, change: BoxChange = {}): StoredBox {
    const { id, image, createdNs } = this;
    const { name = this.name, spec = this.spec, marks = this.marks, health = this.health } = change;
    const kind = state.kind === 'paused' ? 'running' : state.kind;
    const same = { id, name, spec, marks, ...(health && { health }), image, createdNs, generation, state: kind };
    switch (state.kind) {
      case 'running':
      case 'paused':
        return { ...same, startedNs: state.run.startedNs, run: state.run };
      case 'stopping':
        return { ...same, startedNs: state.run.startedNs, run: state.run, exit: state.exit };
      case 'exited':
      case 'dead':
        return { ...same, startedNs: state.startedNs, exit: state.exit };
      case 'starting':
        return { ...same, ...(state.before && { before: state.before }) };
      case 'created':
        return same;
    }
  }
}

/** What may change of a box. */
export type BoxChange = Partial<Pick<Box, 'name' | 'spec' | 'marks' | 'health'>>;

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
