import { constants } from 'node:os';
import { BoxError } from '@a3s-box/core';

/** This command was ended by a signal, before the workload ran or in spite of it. */
export class EndedBySignal extends BoxError {
  /** What the user has to know of it; mostly nothing. */
  readonly note: string | undefined;
  readonly #number: number;

  constructor(signal: NodeJS.Signals, note?: string) {
    super('CANCELLED', `ended by ${signal}`);
    this.note = note;
    this.#number = constants.signals[signal];
  }

  override get exitStatus(): number {
    return 128 + this.#number;
  }
}
