/** What the runner prints: progress while it runs, then times, skips, failures and the closing line. */
import type { Results, TestResult } from './results.ts';

export interface LaneTime {
  readonly lane: string;
  readonly durationMs: number;
  readonly budgetMs: number;
}

const MARKS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const;

export class Reporter {
  readonly #print: (line: string) => void;
  readonly #started = Date.now();

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** One line as it happens; of quick lanes only what did not pass. */
  onResult(result: TestResult): void {
    if (result.lane === 'unit' && result.outcome === 'passed') return;
    const time = result.durationMs >= 100 ? ` (${seconds(result.durationMs)})` : '';
    const reason = result.outcome === 'passed' ? '' : `: ${(result.detail ?? '').split('\n', 1)[0]}`;
    this.line(`${result.lane} ${MARKS[result.outcome]} ${result.title}${time}${reason}`);
  }

  line(text: string): void {
    const at = Math.floor((Date.now() - this.#started) / 1000);
    this.#print(`[${String(at).padStart(4)}s] ${text}`);
  }

  summary(results: Results, lanes: readonly LaneTime[]): void {
    this.#print('\nTime by lane:');
    for (const { lane, durationMs, budgetMs } of lanes) {
      const counts = (['passed', 'failed', 'skipped'] as const).map((o) => `${results.count(o, lane)} ${o}`).join(', ');
      this.#print(`  ${lane.padEnd(12)} ${seconds(durationMs).padStart(8)} of ${seconds(budgetMs)}  ${counts}`);
    }
    this.#slowest(results);
    this.#skips(results);
    this.#failures(results);
    this.#print(`\n${results.closingLine()}`);
  }

  #slowest(results: Results): void {
    const slow = results.all.filter((r) => r.durationMs >= 100).sort((a, b) => b.durationMs - a.durationMs);
    if (slow.length === 0) return;
    this.#print('\nSlowest tests:');
    for (const r of slow.slice(0, 10)) {
      this.#print(`  ${seconds(r.durationMs).padStart(8)}  ${r.lane}  ${r.title}`);
    }
  }

  #skips(results: Results): void {
    const skipped = results.all.filter((r) => r.outcome === 'skipped');
    if (skipped.length === 0) return;
    this.#print('\nSkipped:');
    for (const [reason, tests] of Map.groupBy(skipped, (r) => r.detail ?? '')) {
      this.#print(`  ${String(tests.length).padStart(4)}  ${reason}`);
    }
  }

  #failures(results: Results): void {
    const failed = results.all.filter((r) => r.outcome === 'failed');
    if (failed.length === 0) return;
    this.#print('\nFailures:');
    for (const [index, r] of failed.entries()) {
      this.#print(`\n${index + 1}) [${r.lane}] ${r.title}\n   ${r.file}`);
      this.#print((r.detail ?? '').replaceAll(/^/gm, '   | '));
    }
    this.#print('\nConsoles and logs of failed tests are kept in .cache/test-artifacts.');
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
