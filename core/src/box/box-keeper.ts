import { asBoxError } from '../errors/as-box-error.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { AgentService, SetTimeRequest, type ExitStatus } from '../gen/a3s/box/agent/v1/agent.js';
import type { OutputChunk } from '../guest/process-attachment.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import { LoggerToken } from '../service-tokens.js';
import type { RunRecord } from '../state/box-table.js';
import { FreeSpace } from '../state/free-space.js';
import type { RunningVm } from '../vm/running-vm.js';
import { describeExit, endSoon } from '../vm/vm-loss.js';
import { nowNs, unknownExit, type Box, type BoxExit, type BoxState } from './box.js';
import { BoxEnding } from './box-ending.js';
import { BoxLogs } from './box-logs.js';
import { BoxRecords } from './box-records.js';
import { fileServerGone, leaveHeld, type HeldResources } from './held-resources.js';
import type { RunLog } from './run-log.js';
import { TimeLimit } from './time-limit.js';

const RESUME_LIMIT_MS = 5000;

/** A box that runs, with all that its run needs. */
export interface RunningBox {
  readonly box: Box;
  readonly vm: RunningVm;
  readonly run: RunRecord;
  readonly held: HeldResources;
  /** Absent for a box that keeps none. */
  readonly log: RunLog | undefined;
}

interface Recorded extends Omit<RunningBox, 'held'> {
  readonly log: RunLog;
}

/** Keeps running boxes: their logs, their time limits, their waits for room, and their ends. */
@injectable()
export class BoxKeeper {
  readonly #leaving = new AbortController();
  readonly #kept = new Map<Box, RunningBox>();

  constructor(
    private readonly records: BoxRecords,
    private readonly ending: BoxEnding,
    private readonly logs: BoxLogs,
    private readonly space: FreeSpace,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** Writes the output of a box's main process down, as it comes. To be called before it is connected to. */
  record({ box, vm, run, log }: Omit<RunningBox, 'held'>): void {
    if (log) box.io.addSink((chunk) => this.#write({ box, vm, run, log }, chunk));
  }

  /** Takes care of a box that runs, to its end. */
  keep(running: RunningBox): void {
    const { box, vm, run } = running;
    this.#kept.set(box, running);
    vm.vm.onNoSpace(() => void this.#waitForRoom(box, vm, run));
    void this.#untilEnd(running).catch((error: unknown) =>
      this.logger.error({ box: box.id, error }, 'the end of a box could not be recorded'),
    );
  }

  /** Lets go of all boxes, which go on. */
  async leave(): Promise<void> {
    this.#leaving.abort();
    await Promise.all(
      [...this.#kept.values()].map(async ({ box, vm, held }) => {
        await vm.leave();
        await this.logs.end(box);
        await leaveHeld(held);
      }),
    );
  }

  async #untilEnd(running: RunningBox): Promise<void> {
    const { box, vm, run, held } = running;
    const exit = await this.#watch(running);
    if (this.#leaving.signal.aborted) return;
    // A guest that stands still says no goodbye.
    if (box.marks.pausedByUser) await resumeOrKill(vm);
    this.#recordEnd(box, { kind: 'stopping', run, exit });
    this.#kept.delete(box);
    await this.ending.finish(box, { run, exit, held, vm });
  }

  /**
   * Writes down how a box ended before anything of it is freed, so that this is not lost. A full disk keeps nobody from
   * that: the freeing may make the room, and the end is written after it in any case.
   */
  #recordEnd(box: Box, ended: Extract<BoxState, { kind: 'stopping' }>): void {
    try {
      this.records.enter(box, ended, { marks: { ...box.marks, pausedByUser: false } });
    } catch (error) {
      if (!isBoxError(error) || error.code !== 'DISK_FULL') throw error;
      box.state = ended;
    }
  }

  /** Stops the VM of a box that runs. @throws UNSUPPORTED where the backend cannot do that, CONFLICT */
  async pause(box: Box, { signal }: Operation): Promise<void> {
    const kept = this.#kept.get(box);
    if (!kept || box.state.kind !== 'running') throw notRunning(box);
    const { vm } = kept;
    // Not written down before: a supervisor that dies here leaves a box that goes on, as if nobody had asked.
    await vm.vm.pause({ signal });
    try {
      this.#enterPause(box, kept);
    } catch (error) {
      await this.#undoPause(kept);
      throw error;
    }
  }

  /** @throws CONFLICT for one that ended, or ran out of room, while it was being stopped */
  #enterPause(box: Box, kept: RunningBox): void {
    if (this.#kept.get(box) !== kept || box.state.kind !== 'running') throw notRunning(box);
    this.records.amend(box, { marks: { ...box.marks, pausedByUser: true } });
    box.state = { kind: 'paused', vm: kept.vm.vm, run: kept.run, because: 'user' };
  }

  async #undoPause({ box, vm }: RunningBox): Promise<void> {
    // For want of room it stands still anyway, until there is some.
    if (box.state.kind !== 'paused') await resumeOrKill(vm);
  }

  /** Lets the VM of a box go on that was paused by its user, with its clock set. Whoever kept it here keeps it. */
  async unpause(box: Box, { signal }: Operation): Promise<void> {
    const kept = this.#kept.get(box);
    if (!kept || !box.marks.pausedByUser) throw new BoxError('CONFLICT', `box "${box.name}" is not paused`);
    const { vm, run } = kept;
    await vm.vm.resume({ signal });
    await vm.session.call(AgentService.setTime, SetTimeRequest.create({ hostTimeNs: nowNs() }), signal);
    this.records.amend(box, { marks: { ...box.marks, pausedByUser: false } });
    if (box.state.kind === 'paused') box.state = { kind: 'running', vm, run };
  }

  /** Waits for the first of: the workload's end, the VM's end, that of the server of its files, the time limit. */
  async #watch({ box, vm, run, held }: RunningBox): Promise<BoxExit> {
    using limit = new TimeLimit(box.spec.timeoutMs, run.startedNs);
    const drained = box.io.drained.catch((error: unknown) => asBoxError(error));
    const unserved = fileServerGone(held).then((said) => ({ unserved: said }));
    let first = await Promise.race([drained, vm.exited, limit.expired, unserved]);
    if (first === 'expired') return timeLimitExit();
    if ('unserved' in first) {
      // It ends with its VM as well, a moment before that can be reaped.
      const ended = await endSoon(vm);
      if (!ended) return await endUnserved(vm, first.unserved);
      first = ended;
    }
    if (!(first instanceof BoxError) && !('kind' in first)) return workloadExit(first);
    // Output that had arrived before the VM ended is still handed out, and an exit may be among it.
    const last = await drained;
    if (!(last instanceof BoxError)) return workloadExit(last);
    if (first instanceof BoxError && first.code !== 'AGENT_UNREACHABLE') return unknownExit(first.message);
    if (this.#leaving.signal.aborted) return unknownExit('it was left');
    await vm.kill();
    return unknownExit(`the virtual machine ended: ${describeExit(await vm.exited)}`);
  }

  async #write({ box, vm, run, log }: Recorded, chunk: OutputChunk): Promise<void> {
    for (;;) {
      try {
        return await log.append(chunk);
      } catch (error) {
        if (!isBoxError(error) || error.code !== 'DISK_FULL') {
          this.logger.error({ box: box.id, error }, 'output of a box could not be written down');
          return;
        }
        await vm.vm.pause({ signal: this.#leaving.signal });
        await this.#waitForRoom(box, vm, run);
      }
    }
  }

  /** Shows a box as paused until the host's disk has room again, and lets its VM go on then. */
  async #waitForRoom(box: Box, vm: RunningVm, run: RunRecord): Promise<void> {
    if (box.state.kind === 'running') box.state = { kind: 'paused', vm: vm.vm, run, because: 'no-space' };
    const ended = new AbortController();
    void vm.exited.then(() => ended.abort());
    const signal = AbortSignal.any([ended.signal, this.#leaving.signal]);
    try {
      await this.space.waitForRoom(signal);
      // Its user paused it beside that, and lets it go on.
      if (box.marks.pausedByUser) return;
      await vm.vm.resume({ signal });
      await vm.session.call(AgentService.setTime, SetTimeRequest.create({ hostTimeNs: nowNs() }), signal);
      if (box.state.kind === 'paused') box.state = { kind: 'running', vm, run };
    } catch (error) {
      // Its end, or this supervisor's, is what others wait for and tell of.
      if (!signal.aborted) this.logger.error({ box: box.id, error }, 'a paused box could not go on');
    }
  }
}

/** What waits for a file that nobody serves waits for ever: the VM is ended, as by the loss of a disk (docs/adr/0096). */
async function endUnserved(vm: RunningVm, said: string): Promise<BoxExit> {
  await vm.kill();
  return unknownExit(`the server of its volumes ended: ${said}`);
}

/** Lets a VM go on; one that cannot any more is ended. */
async function resumeOrKill({ vm }: RunningVm): Promise<void> {
  await vm.resume({ signal: AbortSignal.timeout(RESUME_LIMIT_MS) }).catch(() => vm.kill());
}

function notRunning({ name, state }: Box): BoxError {
  return new BoxError('CONFLICT', `box "${name}" is not running: it is ${state.kind}`);
}

function workloadExit(status: ExitStatus): BoxExit {
  return {
    known: true,
    code: status.code,
    outOfMemory: status.outOfMemory,
    timedOut: false,
    reason: status.outOfMemory ? 'the workload ran out of memory' : '',
    timeNs: status.timeNs,
  };
}

function timeLimitExit(): BoxExit {
  return { ...unknownExit('the time limit was reached'), known: true, code: 124, timedOut: true };
}
