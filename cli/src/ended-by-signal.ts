import { constants } from 'node:os';
import { BoxError } from '@a3s-box/core';

/** This command was ended by a signal, before the workload ran or in spite of it. Nothing to tell of. */
export class EndedBySignal extends BoxError {
  readonly #number: number;

  constructor(signal: NodeJS.Signals) {
    super('CANCELLED', `ended by ${signal}`);
    this.#number = constants.signals[signal];
  }

  override get exitStatus(): number {
    return 128 + this.#number;
  }
}
