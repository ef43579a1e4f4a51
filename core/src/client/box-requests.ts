import type { TerminalSize } from '../box/box-spec.js';
import type { CallOptions } from './call-options.js';
import type { CreatedBox } from './records.js';

export interface AttachOptions extends CallOptions {
  /** An exec's streams instead of those of the box's main process. */
  readonly execId?: string;
  /** Whether stdin will be written. Default false. */
  readonly stdin?: boolean;
}

export interface RunOptions extends CallOptions {
  /** Whether stdin will be written. Default: whether the spec keeps it open. */
  readonly stdin?: boolean;
  /** Is called once the box is recorded, before it starts. */
  readonly onCreated?: (box: CreatedBox) => void;
}

export interface RemoveOptions extends CallOptions {
  /** Also one that runs. Default false. */
  readonly force?: boolean;
  /** Also the volumes that were made for it. Default false. */
  readonly volumes?: boolean;
}

export interface LogsOptions extends CallOptions {
  /** Go on with what is written until the box ends. Default false. */
  readonly follow?: boolean;
  /** Only so many lines from the end. Default: all. */
  readonly tail?: number;
  /** Only what was written then or later, nanoseconds since the Unix epoch. */
  readonly sinceNs?: bigint;
  /** Only what was written then or earlier, nanoseconds since the Unix epoch. */
  readonly untilNs?: bigint;
}

export interface StopOptions extends CallOptions {
  /** Between the signal and SIGKILL, milliseconds; {@link FOR_EVER_MS} or Infinity: no SIGKILL. Default: the box's own, else 10 s. */
  readonly graceMs?: number;
  /** By name or number. Default: the box's. */
  readonly stopSignal?: string;
}

/** One more process in a running box. */
export interface ExecSpec {
  readonly command: readonly string[];
  /** `NAME=value`, or `NAME` to take it away. */
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  /** `user[:group]`, names or numbers. */
  readonly user?: string;
  readonly terminal?: boolean;
  readonly terminalSize?: TerminalSize;
  readonly stdinOpen?: boolean;
  /** Nobody will attach. */
  readonly detached?: boolean;
  /** With all capabilities. */
  readonly privileged?: boolean;
}

/** A process in a box: its main one, or an exec. */
export interface ProcessReference {
  /** Name, id or unique prefix of the id. */
  readonly box: string;
  readonly execId?: string;
}
