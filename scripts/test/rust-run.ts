/** The rust lane: `cargo test` in each crate, each Rust test counted. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ended, killOnAbort, startChild } from './child.ts';
import type { Results } from './results.ts';

const LANE = 'rust';
const CRATES = ['guest-init', 'plugins/network-user/gateway'];

export async function runRust(root: string, results: Results, signal: AbortSignal): Promise<void> {
  for (const crate of CRATES) await runCrate(root, crate, results, signal);
}

async function runCrate(root: string, crate: string, results: Results, signal: AbortSignal): Promise<void> {
  const directory = join(root, crate);
  const base = { lane: LANE, file: crate, durationMs: 0 };
  if (!existsSync(join(directory, 'Cargo.toml'))) {
    results.add({ ...base, title: 'cargo test', outcome: 'failed', detail: `${crate}/Cargo.toml is missing` });
    return;
  }
  if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status !== 0) {
    const missing = 'cargo is missing; `npm test` as root installs it';
    if (process.env['CI'] === 'true') results.add({ ...base, title: 'cargo test', outcome: 'failed', detail: missing });
    else results.addSkip({ ...base, title: 'cargo test' }, missing);
    return;
  }
  const child = startChild('cargo', ['test', '--locked', '--no-fail-fast', '--color=never'], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  using _ = killOnAbort(child, signal);
  const output = new CargoOutput(results, crate);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => output.take(line));
  }
  const failure = await ended(child);
  output.finish(failure);
}

/** Reads the text of `cargo test` and adds a result for each test. */
export class CargoOutput {
  readonly #results: Results;
  readonly #crate: string;
  readonly #lines: string[] = [];
  readonly #failed: string[] = [];
  #binary = '';

  /** @param crate the crate's directory, for the results */
  constructor(results: Results, crate = 'guest-init') {
    this.#results = results;
    this.#crate = crate;
    this.#binary = crate;
  }

  take(line: string): void {
    this.#lines.push(line);
    const running = /^\s*(?:Running|Doc-tests) (\S+(?: \S+\.rs)?)/.exec(line);
    if (running?.[1] !== undefined) this.#binary = running[1].replace('unittests ', '');
    const test = /^test (.+?) \.\.\. (ok|FAILED|ignored)(?:, (.*))?$/.exec(line);
    if (test === null) return;
    const [, title = '', outcome, reason] = test;
    const base = { lane: LANE, file: `${this.#crate} ${this.#binary}`, title, durationMs: 0 };
    if (outcome === 'ok') this.#results.add({ ...base, outcome: 'passed' });
    else if (outcome === 'ignored') this.#results.addSkip(base, reason);
    else this.#failed.push(title);
  }

  /** Adds the failures, each with its part of the output. `failure` says how cargo ended. */
  finish(failure: string | undefined): void {
    for (const title of this.#failed) {
      const detail = this.#section(title);
      this.#results.add({ lane: LANE, file: this.#crate, title, outcome: 'failed', durationMs: 0, detail });
    }
    if (failure !== undefined && this.#failed.length === 0) {
      const detail = `ended with ${failure}\n${this.#lines.slice(-60).join('\n')}`;
      const base = { lane: LANE, file: this.#crate, durationMs: 0 };
      this.#results.add({ ...base, title: 'cargo test', outcome: 'failed', detail });
    }
  }

  #section(title: string): string {
    const begin = this.#lines.indexOf(`---- ${title} stdout ----`);
    if (begin < 0) return 'no output';
    const end = this.#lines.findIndex((line, at) => at > begin && (line.startsWith('---- ') || line === 'failures:'));
    return this.#lines.slice(begin + 1, end < 0 ? undefined : end).join('\n');
  }
}
