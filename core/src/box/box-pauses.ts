import { BoxError } from '../errors/box-error.js';
import { injectable } from '../kernel/container.js';
import type { Operation } from '../ports/operation.js';
import type { Box } from './box.js';
import { BoxAdopter } from './box-adopter.js';
import { BoxKeeper } from './box-keeper.js';

/** Stops whole boxes where they are, and lets them go on. */
@injectable()
export class BoxPauses {
  constructor(
    private readonly keeper: BoxKeeper,
    private readonly adopter: BoxAdopter,
  ) {}

  /** @throws CONFLICT for one that does not run or is paused, UNSUPPORTED where the backend cannot do it */
  async pause(box: Box, operation: Operation): Promise<void> {
    if (box.state.kind === 'paused') throw new BoxError('CONFLICT', `box "${box.name}" is already paused`);
    await this.keeper.pause(box, operation);
  }

  /** On return its guest runs and has the right time. @throws CONFLICT for one that its user has not paused */
  async unpause(box: Box, operation: Operation): Promise<void> {
    if (box.state.kind !== 'paused' || !box.marks.pausedByUser) {
      throw new BoxError('CONFLICT', `box "${box.name}" is not paused`);
    }
    if (!(await this.adopter.unpause(box))) await this.keeper.unpause(box, operation);
  }
}
