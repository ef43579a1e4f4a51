import { BoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import type { RunRecord } from '../state/box-table.js';
import { FreeSpace } from '../state/free-space.js';
import { Reaper } from '../state/reaper.js';
import { HomeLayout } from '../store/home-layout.js';
import { volumeOwner } from '../volumes/volume-records.js';
import type { RunningVm } from '../vm/running-vm.js';
import type { Box, BoxExit } from './box.js';
import { BoxLogs } from './box-logs.js';
import { BoxRecords } from './box-records.js';
import { releaseHeld, type HeldResources } from './held-resources.js';

/** How long a guest may take to say goodbye after its workload ended. */
const GOODBYE_LIMIT_MS = 10_000;

export interface EndedRun {
  readonly run: RunRecord;
  readonly exit: BoxExit;
  readonly held: HeldResources;
  /** Absent when the VM is gone, or out of reach. */
  readonly vm?: RunningVm;
}

/** Ends what a box had, once it is known how its workload ended. */
@injectable()
export class BoxEnding {
  constructor(
    private readonly records: BoxRecords,
    private readonly reaper: Reaper,
    private readonly logs: BoxLogs,
    private readonly space: FreeSpace,
    private readonly home: HomeLayout,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** Removes a box that does not run. @param exit of the run that it goes with, where there was one */
  async remove(box: Box, exit?: BoxExit): Promise<void> {
    await this.reaper.reap(box.id);
    for (const name of this.records.forget(box, exit)) await this.reaper.reap(volumeOwner(name));
    box.gone = true;
  }

  /** Does the rest of an ended start once the disk has room for the record of it. Never rejects. */
  async whenThereIsRoom(box: Box, work: () => Promise<void>): Promise<void> {
    try {
      await this.space.insist(work, new AbortController().signal);
    } catch (error) {
      this.logger.error({ box: box.id, error }, 'a start could not be undone');
    }
  }

  /** Frees the VM and what served it, records the end, or removes the box if it was to go with its end. */
  async finish(box: Box, { run, exit, held, vm }: EndedRun): Promise<void> {
    await box.tracer.span('end vmm', async () => {
      // Nobody will read the disks of a box that goes away, but volumes: no need to wait for its file systems.
      if (box.goesWithItsEnd && (box.spec.volumes ?? []).length === 0) await vm?.kill();
      else await vm?.shutDown(0, AbortSignal.timeout(GOODBYE_LIMIT_MS));
    });
    const ended = new BoxError('CONFLICT', `box "${box.name}" has ended`);
    for (const { io } of box.execs.values()) io.abandon(ended);
    const results = await Promise.allSettled([vm?.vm.close(), releaseHeld(held), this.logs.end(box)]);
    for (const result of results) {
      if (result.status === 'rejected')
        this.logger.error({ box: box.id, error: result.reason }, 'freeing a box failed');
    }
    const state = { kind: exit.known ? 'exited' : 'dead', startedNs: run.startedNs, exit } as const;
    const { signal } = new AbortController();
    // Asked for in the middle of this, its removal comes after it.
    const goes = box.goesWithItsEnd;
    await this.space.insist(async () => {
      if (goes) return this.remove(box, exit);
      await this.reaper.reap(box.id, this.home.box(box.id));
      this.records.enter(box, state);
    }, signal);
    box.state = state;
    box.end(exit);
  }
}
