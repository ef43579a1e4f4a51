import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import type { StoredBox } from '../state/box-table.js';
import { Facts } from '../state/facts.js';
import { Reaper } from '../state/reaper.js';
import { Box, unknownExit, type BoxState } from './box.js';
import { BoxAdopter } from './box-adopter.js';
import { BoxHealth } from './box-health.js';
import { BoxRecords } from './box-records.js';
import { BoxRestarter } from './box-restarter.js';
import { BoxService } from './box-service.js';
import { BoxStarter } from './box-starter.js';

/** Name of the fact. */
const BOOT_ID = 'boot-id';

/** Brings a supervisor's boxes to where its predecessor left them. */
@injectable()
export class BoxRecovery {
  constructor(
    private readonly boxes: BoxService,
    private readonly records: BoxRecords,
    private readonly adopter: BoxAdopter,
    private readonly reaper: Reaper,
    private readonly starter: BoxStarter,
    private readonly restarter: BoxRestarter,
    private readonly health: BoxHealth,
    private readonly facts: Facts,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /**
   * To be called once, before anything is asked of the boxes.
   * @param bootId changes with each start of the machine; empty: not known
   */
  async recover(bootId = ''): Promise<void> {
    this.boxes.follow(this.restarter);
    this.boxes.follow(this.health);
    const stored = this.records.list();
    await Promise.all(stored.map((record) => this.#recover(record)));
    const known = new Set(stored.map(({ id }) => id));
    await this.reaper.reapUnowned((box) => known.has(box));
    const before = this.facts.get(BOOT_ID);
    if (before !== bootId && bootId !== '') this.facts.set(BOOT_ID, bootId);
    this.restarter.resume(before !== undefined && bootId !== '' && before !== bootId);
  }

  async #recover(record: StoredBox): Promise<void> {
    const { state, run, exit } = record;
    const box = new Box(record, stateOf(record), record.generation);
    if (state === 'starting') {
      // Who asked for it was told that it failed.
      this.logger.info({ box: box.id }, 'a start was cut off');
      if (!record.before) {
        await this.reaper.reap(box.id);
        box.volumesGoToo = true;
        // What of it is freed below: no box owns it.
        this.records.forget(box);
        return;
      }
      const startError = 'the start was cut off';
      await this.starter.undo(box, record.before, startError);
    }
    this.boxes.add(box);
    const over = box.state.kind === 'exited' || box.state.kind === 'dead';
    // Its end was written down, and it was to be removed by a supervisor that died.
    if (over && box.goesWithItsEnd) return this.boxes.remove(box, { force: false });
    if (state === 'running' || state === 'stopping') {
      if (run) await this.adopter.adopt({ box, run, exit });
    }
  }
}

/** What the box is until it was taken over. */
function stateOf({ state, startedNs = 0n, run, exit, before }: StoredBox): BoxState {
  if (state === 'starting') return { kind: 'starting', ...(before && { before }) };
  if (state === 'exited' || state === 'dead') {
    return { kind: state, startedNs, exit: exit ?? unknownExit('its record does not say') };
  }
  if (run && (state === 'running' || state === 'stopping')) {
    return { kind: 'stopping', run, exit: exit ?? unknownExit('it is being taken over') };
  }
  return { kind: 'created' };
}
