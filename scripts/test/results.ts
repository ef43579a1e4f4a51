/** What the lanes report and how it is counted. */
export type Outcome = 'passed' | 'failed' | 'skipped';

export interface TestResult {
  readonly lane: string;
  /** Test file or part, for example `core/test/ports/port.test.ts`. */
  readonly file: string;
  readonly title: string;
  readonly outcome: Outcome;
  readonly durationMs: number;
  /** Error of a failure, reason of a skip. */
  readonly detail?: string;
}

export class Results {
  readonly all: TestResult[] = [];
  readonly #onResult: (result: TestResult) => void;

  constructor(onResult: (result: TestResult) => void = () => {}) {
    this.#onResult = onResult;
  }

  add(result: TestResult): void {
    this.all.push(result);
    this.#onResult(result);
  }

  /** A skip; one without a reason is a failure. */
  addSkip(result: Omit<TestResult, 'outcome' | 'detail'>, reason: string | null | undefined): void {
    if (reason) this.add({ ...result, outcome: 'skipped', detail: reason });
    else this.add({ ...result, outcome: 'failed', detail: 'skipped without a reason (use test/support/skip.ts)' });
  }

  count(outcome: Outcome, lane?: string): number {
    return this.all.filter((r) => r.outcome === outcome && (lane === undefined || r.lane === lane)).length;
  }

  /** The closing line that every run ends with. */
  closingLine(): string {
    return `${this.count('passed')} passed, ${this.count('failed')} failed, ${this.count('skipped')} skipped`;
  }

  /** 0 when something passed and nothing failed. */
  exitCode(): number {
    return this.count('failed') === 0 && this.count('passed') > 0 ? 0 : 1;
  }
}
