import { asBoxError } from '../errors/as-box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { Activity } from '../supervisor/activity.js';
import type { Box, BoxExit } from './box.js';
import type { BoxFollower } from './box-requests.js';
import { BoxService } from './box-service.js';
import { durationOf, isToRestart, restartDelay } from './restart-decision.js';

/** Starts boxes again as their restart policies say. */
@injectable()
export class BoxRestarter implements BoxFollower, Disposable {
  readonly #delays = new WeakMap<Box, number>();
  readonly #pending = new Set<Box>();
  #closed = false;

  constructor(
    private readonly boxes: BoxService,
    private readonly activity: Activity,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  onRun(box: Box): void {
    // A start that comes to nothing is told to who asked for it; for those of its own this looks itself.
    box.ended.then(
      (exit) => this.#ended(box, exit),
      () => {},
    );
  }

  /**
   * Starts the boxes that a supervisor finds at rest and that their policies want to run.
   * @param rebooted whether the machine was: then also those with `always` that their users had stopped
   */
  resume(rebooted: boolean): void {
    for (const box of this.boxes.list()) {
      const { state, spec, marks } = box;
      if (state.kind !== 'exited' && state.kind !== 'dead') continue;
      const again = rebooted && spec.restart?.name === 'always';
      const judged = again ? { spec, marks: { ...marks, stoppedByUser: false } } : box;
      if (!box.restarting && isToRestart(judged, state.exit)) this.#schedule(box, 0);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const box of [...this.#pending]) box.cancelRestart?.();
  }

  #ended(box: Box, exit: BoxExit): void {
    const { state } = box;
    if (box.gone || box.goesWithItsEnd || !isToRestart(box, exit)) return;
    const ranMs = 'startedNs' in state ? durationOf(state.startedNs, exit) : 0;
    this.#schedule(box, restartDelay(this.#delays.get(box), ranMs));
  }

  #schedule(box: Box, delayMs: number): void {
    if (this.#closed || box.restarting) return;
    this.#delays.set(box, Math.max(delayMs, 1));
    const use = this.activity.begin();
    const timer = setTimeout(() => void this.#start(box), delayMs);
    this.#pending.add(box);
    box.cancelRestart = () => {
      clearTimeout(timer);
      use[Symbol.dispose]();
      this.#pending.delete(box);
      box.cancelRestart = undefined;
    };
  }

  async #start(box: Box): Promise<void> {
    try {
      await this.boxes.start(box, { byPolicy: true });
    } catch (error) {
      this.logger.warn({ box: box.id, error }, 'a box could not be restarted');
      const { code } = asBoxError(error);
      const over = box.state.kind === 'exited' || box.state.kind === 'dead' ? box.state.exit : undefined;
      if (code === 'CANCELLED' || !over || box.gone || !isToRestart(box, over)) return;
      this.#schedule(box, restartDelay(this.#delays.get(box), 0));
    }
  }
}
