/** A phase, nanoseconds since the Unix epoch. */
export interface Phase {
  readonly name: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/** The phases of this process, for `--trace`. */
export class Timeline {
  readonly phases: Phase[] = [];

  /** Starts with the one that is over: starting Node.js and loading what was needed so far. */
  constructor() {
    this.phases.push({ name: 'start', startNs: nanoseconds(performance.timeOrigin), endNs: now() });
  }

  async measure<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startNs = now();
    try {
      return await work();
    } finally {
      this.phases.push({ name, startNs, endNs: now() });
    }
  }
}

function now(): bigint {
  return nanoseconds(performance.timeOrigin + performance.now());
}

function nanoseconds(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1000)) * 1000n;
}
