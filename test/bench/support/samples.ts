/** Figures of a series of measurements. */
export interface Summary {
  readonly unit: string;
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  readonly samples: readonly number[];
}

export interface Comparison {
  readonly a: Summary;
  readonly b: Summary;
  readonly ratioOfMedians: number;
  readonly ratios: Summary;
}

export function summarize(samples: readonly number[], unit: string): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN);
  return {
    unit,
    count: sorted.length,
    min: at(0.0001),
    p50: at(0.5),
    p95: at(0.95),
    max: at(1),
    samples: samples.map(round),
  };
}

/** Runs two things in turn, A B A B, so that a machine whose speed drifts treats both alike. Times in milliseconds. */
export async function compare(rounds: number, a: () => Promise<void>, b: () => Promise<void>): Promise<Comparison> {
  const times = { a: [] as number[], b: [] as number[] };
  await a();
  await b();
  for (let i = 0; i < rounds; i++) {
    times.a.push(await timed(a));
    times.b.push(await timed(b));
  }
  return compared(times.a, times.b);
}

/** Two series of times that were taken in turn, milliseconds. */
export function compared(a: readonly number[], b: readonly number[]): Comparison {
  const [sa, sb] = [summarize(a, 'ms'), summarize(b, 'ms')];
  const ratios = summarize(
    a.map((time, i) => time / (b[i] ?? NaN)),
    'A/B',
  );
  return { a: sa, b: sb, ratioOfMedians: round(sa.p50 / sb.p50), ratios };
}

export async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
