/** What is asked of the service of boxes. */
import type { Operation } from '../ports/operation.js';
import type { Box, RestingState } from './box.js';
import type { Spare } from './spare.js';

export interface RunOptions extends Operation {
  /** Is called when the box is recorded, before it starts. */
  readonly prepare: (box: Box) => Promise<void>;
}

/** Is told of the runs of boxes. */
export interface BoxFollower {
  /** One begins: it starts, or was taken over. Its end is `box.ended`. */
  onRun(box: Box): void;
}

export interface StartOptions {
  /** Is called when its streams can be joined: before it starts, or at once where it runs. */
  readonly prepare?: () => Promise<void>;
  /** Gives the start up. */
  readonly signal?: AbortSignal;
  /** Its restart policy starts it, not its user. */
  readonly byPolicy?: boolean;
}

export interface StopOptions {
  /** Between the signal and SIGKILL; {@link FOR_EVER_MS}: no SIGKILL. */
  readonly graceMs: number;
  /** By name or number; absent: the box's stop signal. */
  readonly signal?: string;
  /** Whether it is to stay ended; its restart policy has nothing to say then. */
  readonly forGood?: boolean;
  /** Whether it is told that its user stopped it. Absent: yes. */
  readonly told?: boolean;
}

export interface RemoveOptions {
  /** Also when it runs. */
  readonly force: boolean;
  /** Also the volumes that were made for it. Absent: no. */
  readonly volumes?: boolean;
}

export interface CreateWithOptions extends Operation {
  readonly prepare: () => Promise<void>;
}

export interface BeginOptions {
  /** Is called before the start. */
  readonly prepare?: (() => Promise<void>) | undefined;
  readonly spare?: Spare;
  /** Where it goes back to when the start comes to nothing; absent: it goes away. */
  readonly before?: RestingState;
}
