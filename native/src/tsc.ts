import { addon, type TscSample } from './addon.js';

/** Reads the time-stamp counter and CLOCK_MONOTONIC_RAW together. x86-64 only. */
export function sampleTsc(): TscSample {
  return addon().sampleTsc();
}

/**
 * Frequency of the time-stamp counter between two samples, kHz, rounded. With samples 10 ms apart it is exact to a few
 * millionths.
 */
export function tscKhz(first: TscSample, second: TscSample): number {
  const ticks = second.counter - first.counter;
  const nanoseconds = second.nanoseconds - first.nanoseconds;
  return Number((ticks * 1_000_000n + nanoseconds / 2n) / nanoseconds);
}
