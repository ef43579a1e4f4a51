import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import type { StoredBox } from '../state/box-table.js';
import { Reaper } from '../state/reaper.js';
import { Box, unknownExit, type BoxState } from './box.js';
import { BoxAdopter } from './box-adopter.js';
import { BoxRecords } from './box-records.js';
import { BoxService } from './box-service.js';

/** Brings a supervisor's boxes to where its predecessor left them. */
@injectable()
export class BoxRecovery {
  constructor(
    private readonly boxes: BoxService,
    private readonly records: BoxRecords,
    private readonly adopter: BoxAdopter,
    private readonly reaper: Reaper,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** To be called once, before anything is asked of the boxes. */
  async recover(): Promise<void> {
    const stored = this.records.list();
    await Promise.all(stored.map((record) => this.#recover(record)));
    const known = new Set(stored.map(({ id }) => id));
    await this.reaper.reapUnowned((box) => known.has(box));
  }

  async #recover(record: StoredBox): Promise<void> {
    const { state, run, exit } = record;
    const box = new Box(record, stateOf(record), record.generation);
    if (state === 'starting') {
      // Who asked for it was told that it failed.
      this.logger.info({ box: box.id }, 'a start was cut off');
      await this.reaper.reap(box.id);
      box.volumesGoToo = true;
      // What of it is freed below: no box owns it.
      this.records.forget(box);
      return;
    }
    this.boxes.add(box);
    if (state === 'running' || state === 'stopping') {
      if (run) await this.adopter.adopt({ box, run, exit });
    }
  }
}

/** What the box is until it was taken over. */
function stateOf({ state, startedNs = 0n, run, exit }: StoredBox): BoxState {
  if (state === 'exited' || state === 'dead') {
    return { kind: state, startedNs, exit: exit ?? unknownExit('its record does not say') };
  }
  if (run && (state === 'running' || state === 'stopping')) {
    return { kind: 'stopping', run, exit: exit ?? unknownExit('it is being taken over') };
  }
  return { kind: 'created' };
}
