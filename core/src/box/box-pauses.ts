import { BoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import { LoggerToken } from '../service-tokens.js';
import type { Box } from './box.js';
import { BoxAdopter } from './box-adopter.js';
import { BoxKeeper } from './box-keeper.js';
import { orAborted } from './or-aborted.js';

/** How long the guest of a box that is to end may take to go on. */
const ANSWER_LIMIT_MS = 10_000;

/** Stops whole boxes where they are, and lets them go on. */
@injectable()
export class BoxPauses {
  constructor(
    private readonly keeper: BoxKeeper,
    private readonly adopter: BoxAdopter,
    @inject(LoggerToken) private readonly logger: Logger,
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

  /** For a box that is to end: lets it go on, or ends its VM where it cannot, does not answer, or is not to. */
  async letEnd(box: Box): Promise<void> {
    if (box.state.kind !== 'paused') return;
    const { vm } = box.state;
    if (!box.marks.pausedByUser || box.goesWithItsEnd) return vm.kill();
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    try {
      await orAborted(this.unpause(box, { signal: limit }), limit);
    } catch (error) {
      if (box.state.kind !== 'paused') return;
      this.logger.warn({ box: box.id, error }, 'a paused box could not go on, and is ended');
      await vm.kill();
    }
  }
}
