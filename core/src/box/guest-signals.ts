import { BoxError, isBoxError } from '../errors/box-error.js';
import {
  ContainerService,
  ExecService,
  SignalRequest,
  type ListProcessesResponse,
} from '../gen/a3s/box/agent/v1/agent.js';
import type { Operation } from '../ports/operation.js';
import type { RunningVm } from '../vm/running-vm.js';
import { nowNs, type Box, type BoxState } from './box.js';
import { CONTAINER_ID } from './container-start.js';
import { signalNumber } from './signals.js';
import { TimeLimit } from './time-limit.js';

export const SIGKILL = 9;
const DEFAULT_STOP_SIGNAL = 'SIGTERM';

/** @throws CONFLICT for a box whose streams nobody can join: it is over, or stands still */
export function checkAttachable(box: Box): void {
  const { name, state, restarting } = box;
  if (restarting) throw new BoxError('CONFLICT', `box "${name}" is restarting`, { hint: 'wait until it runs' });
  if (state.kind === 'exited' || state.kind === 'dead') {
    throw new BoxError('CONFLICT', `box "${name}" does not run`, { hint: `start it first: a3s-box start -a ${name}` });
  }
  if (state.kind === 'paused') runningVm(box);
}

interface WorkloadEnding {
  /** Of the signal. */
  readonly number: number;
  readonly graceMs: number;
  /** Is told of each signal that was sent. */
  readonly onSent: (number: number) => void;
}

/** Ends a box that runs: with a signal, and with SIGKILL after the grace time. Returns at its end. */
export async function endWorkload(box: Box, { number, graceMs, onSent }: WorkloadEnding): Promise<void> {
  const send = async (signal: number) => {
    if (box.state.kind !== 'running' && box.state.kind !== 'paused') return;
    await signalForStop(box.state, signal);
    onSent(signal);
  };
  // Not by AbortSignal.timeout, which takes a limit of 25 days or more for one of a millisecond.
  using limit = new TimeLimit(graceMs, nowNs());
  await send(graceMs > 0 ? number : SIGKILL);
  const first = await Promise.race([box.ended, limit.expired]);
  if (first === 'expired' && graceMs > 0) await send(SIGKILL);
  await box.ended;
}

/** A process that has ended already is about to end its box, which the caller waits for. A guest that cannot be told is ended. */
async function signalForStop(state: BoxState, number: number): Promise<void> {
  if (state.kind === 'paused') return state.vm.kill();
  if (state.kind !== 'running') return;
  const request = SignalRequest.create({ containerId: CONTAINER_ID, signal: number });
  try {
    await state.vm.session.call(ExecService.signal, request);
  } catch (error) {
    // Its disks are being unmounted.
    if (isBoxError(error) && (error.code === 'CONFLICT' || error.code === 'NOT_FOUND')) return;
    await state.vm.kill();
  }
}

/** What runs in a box. @throws CONFLICT when it does not run or is paused */
export function processesOf(box: Box, { signal }: Operation): Promise<ListProcessesResponse> {
  return runningVm(box).session.call(ContainerService.listProcesses, { containerId: CONTAINER_ID }, signal);
}

/** Number of the signal that ends a box. */
export function stopSignalOf({ spec, image }: Box): number {
  return signalNumber(spec.stopSignal ?? image.config.stopSignal ?? DEFAULT_STOP_SIGNAL);
}

/** The VM of a box whose guest answers. @throws CONFLICT */
export function runningVm({ name, state }: Box): RunningVm {
  if (state.kind === 'running') return state.vm;
  if (state.kind === 'paused') {
    if (state.because === 'user') {
      throw new BoxError('CONFLICT', `box "${name}" is paused`, { hint: `unpause it first: a3s-box unpause ${name}` });
    }
    if (state.because === 'unreachable') throw new BoxError('CONFLICT', `box "${name}" does not answer at the moment`);
    throw new BoxError('CONFLICT', `box "${name}" is paused: the host's disk is full`, { hint: 'free some space' });
  }
  throw new BoxError('CONFLICT', `box "${name}" does not run: it is ${state.kind}`);
}
