/** One phase of something that is timed. Times are nanoseconds since the Unix epoch. */
export interface Span {
  readonly name: string;
  readonly process: 'supervisor' | 'vmm' | 'kernel' | 'guest-init' | 'workload';
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/** Collects the spans of one box. */
export class Tracer {
  readonly #spans: Span[] = [];

  get spans(): readonly Span[] {
    return this.#spans;
  }

  add(span: Span): void {
    this.#spans.push(span);
  }

  /** Times a phase of the supervisor; a phase that fails is kept too. */
  async span<T>(name: string, phase: () => Promise<T>): Promise<T> {
    const startNs = wallClock();
    try {
      return await phase();
    } finally {
      this.add({ name, process: 'supervisor', startNs, endNs: wallClock() });
    }
  }
}

/** The wall clock with microsecond resolution, nanoseconds since the Unix epoch. */
export function wallClock(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
