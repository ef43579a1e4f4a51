import type { Box, BoxExit } from './box.js';

/** Docker's figures. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A run of this length was a good one: the next delay is the first again. */
const GOOD_RUN_MS = 10_000;
const NS_PER_MS = 1_000_000n;

/** Whether a box that has ended is to be started again. */
export function isToRestart({ spec: { restart }, marks }: Pick<Box, 'spec' | 'marks'>, exit: BoxExit): boolean {
  if (!restart || marks.stoppedByUser) return false;
  if (restart.name !== 'on-failure') return true;
  const { maximumRetries = Infinity } = restart;
  // An end that nobody knows is no success.
  return !(exit.known && exit.code === 0) && marks.restarts < maximumRetries;
}

/**
 * How long to wait before a box is started again, milliseconds.
 * @param last the delay before the run that has ended; undefined when there was none
 */
export function restartDelay(last: number | undefined, ranMs: number): number {
  if (last === undefined || ranMs >= GOOD_RUN_MS) return FIRST_DELAY_MS;
  return Math.min(last * 2, LONGEST_DELAY_MS);
}

/** How long a run took, milliseconds. */
export function durationOf(startedNs: bigint, { timeNs }: BoxExit): number {
  return Number((timeNs - startedNs) / NS_PER_MS);
}
