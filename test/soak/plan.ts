/** What is done in a cycle, drawn from the seed alone: the same seed gives the same cycles. */

export const STEPS = ['create', 'start', 'run', 'exec', 'stop', 'commit', 'rm'] as const;
export type Step = (typeof STEPS)[number];

export const FAULTS = ['command', 'supervisor', 'vmm', 'both', 'disk'] as const;
/** What is killed; `both`: supervisor and VMM; `disk`: the home's disk is full for a while. */
export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly step: Step;
  /** When, as a part of the time that the step takes without one, 0 to 1.2: after 1 it has ended. */
  readonly at: number;
  /** How long a full disk stays full, milliseconds. */
  readonly holdMs: number;
}

export interface CyclePlan {
  readonly number: number;
  readonly steps: readonly Step[];
  readonly faults: readonly Fault[];
  /** Whether the box has the volume that all cycles share. */
  readonly volume: boolean;
  /** Whether it is of the image that was committed last, and not of the first. */
  readonly onPrevious: boolean;
}

/** Numbers from 0 up to 1, always the same for the same seed. Mulberry32. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param number of the cycle, from 0 */
export function planCycle(seed: number, number: number): CyclePlan {
  const random = generator(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  // The first ones of neighbouring seeds are alike.
  for (let skipped = 0; skipped < 8; skipped++) random();
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const begin: readonly Step[] = random() < 0.3 ? ['run'] : ['create', 'start'];
  const end: readonly Step[] = random() < 0.5 ? ['stop', 'commit'] : ['commit', 'stop'];
  const steps: readonly Step[] = [...begin, 'exec', ...end, 'rm'];
  const volume = random() < 0.15;
  const onPrevious = random() < 0.4;
  const count = pick([0, 1, 1, 1, 1, 1, 2]);
  const faults = new Map<Step, Fault>();
  for (let drawn = 0; drawn < count; drawn++) {
    const step = pick(steps);
    const [at, holdMs] = [random() * 1.2, Math.round(200 + random() * 1800)];
    faults.set(step, { kind: pick(FAULTS), step, at, holdMs });
  }
  return { number, steps, faults: [...faults.values()], volume, onPrevious };
}

export function describePlan({ number, steps, faults, volume, onPrevious }: CyclePlan): string {
  const told = steps.map((step) => {
    const fault = faults.find((one) => one.step === step);
    return fault ? `${step} [${fault.kind} at ${fault.at.toFixed(2)}]` : step;
  });
  return `cycle ${number}: ${told.join(', ')}${volume ? ', with a volume' : ''}${onPrevious ? ', on the last image' : ''}`;
}
