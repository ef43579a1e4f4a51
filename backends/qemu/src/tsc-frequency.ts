import { setTimeout as delay } from 'node:timers/promises';
import { sampleTsc, tscKhz } from '@a3s-box/native';

/** Distance of the two samples. The frequency is exact to a few millionths after this. */
const SAMPLE_DISTANCE_MS = 10;

/** Measures the frequency of this machine's time-stamp counter, kHz. Takes 10 ms. */
export async function measureTscKhz(): Promise<number> {
  const first = sampleTsc();
  // The length of the measurement itself, not a wait for something that could announce itself.
  await delay(SAMPLE_DISTANCE_MS);
  return tscKhz(first, sampleTsc());
}
