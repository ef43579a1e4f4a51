/** Runs a fuzz target for a time and tells what libFuzzer says of it. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ended, killOnAbort, startChild } from '../test/child.ts';
import { targetDirectory, type PreparedTarget } from './targets.ts';

/** The outcome of one run. */
export interface FuzzRecord {
  readonly target: string;
  readonly kind: string;
  readonly started: string;
  /** Wall clock, with the reading of the corpus. */
  readonly seconds: number;
  readonly executions: number;
  /** Edges of the instrumented code that were reached, and libFuzzer's finer features. */
  readonly coverage: number;
  readonly features: number;
  /** Inputs that reach something new each. */
  readonly corpus: number;
  readonly findings: readonly FuzzFinding[];
}

export interface FuzzFinding {
  /** The input, relative to the root; made into a case by copying it to the target's `cases` directory. */
  readonly input: string;
  readonly report: string;
}

export interface RunOptions {
  readonly root: string;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

const MAX_INPUT = 16 * 1024;
const RSS_LIMIT_MB = 2048;
/** Seconds for one input; what takes longer is a finding. */
const INPUT_TIMEOUT = 30;
/** Characters of the fuzzer's own output that are kept. */
const OUTPUT_LIMIT = 256 * 1024;

export async function runTarget(prepared: PreparedTarget, { root, seconds, signal }: RunOptions): Promise<FuzzRecord> {
  const { target, program, args, environment, corpora, dictionary } = prepared;
  const directory = targetDirectory(root, target);
  const corpus = join(directory, 'corpus');
  const cases = join(root, target.cases);
  mkdirSync(corpus, { recursive: true });
  const artifacts = mkdtempSync(join(directory, 'run-'));
  const directories = [corpus, ...corpora, ...(existsSync(cases) ? [cases] : [])];
  const flags = [
    `-max_total_time=${seconds}`,
    `-max_len=${MAX_INPUT}`,
    `-rss_limit_mb=${RSS_LIMIT_MB}`,
    `-timeout=${INPUT_TIMEOUT}`,
    `-artifact_prefix=${artifacts}/`,
    '-print_final_stats=1',
    ...(dictionary === undefined ? [] : [`-dict=${dictionary}`]),
  ];
  const begin = new Date();
  const child = startChild(program, commandLine(args, directories, flags), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  using _ = killOnAbort(child, signal);
  const output = new FuzzerOutput();
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => output.take(text));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const failure = await ended(child);
  await closed;
  const record = {
    target: target.name,
    kind: target.kind,
    started: begin.toISOString(),
    seconds: Math.round((Date.now() - begin.getTime()) / 100) / 10,
    ...output.figures(),
  };
  const findings = keepFindings(artifacts, directory, output.text).map((finding) => ({
    ...finding,
    input: finding.input.replace(`${root}/`, ''),
  }));
  if (failure !== undefined && findings.length === 0) {
    findings.push({ input: '', report: `ended with ${failure}\n${output.text.slice(-8000)}` });
  }
  writeFileSync(join(directory, 'last.log'), output.text);
  return { ...record, findings };
}

/** jazzer.js wants the directories before the `--` that its own options end with. */
function commandLine(args: readonly string[], directories: readonly string[], flags: readonly string[]): string[] {
  if (args.at(-1) !== '--') return [...args, ...directories, ...flags];
  const [cli = '', bundle = '', ...options] = args;
  return [cli, bundle, ...directories, ...options, ...flags];
}

function keepFindings(artifacts: string, directory: string, report: string): FuzzFinding[] {
  const names = readdirSync(artifacts);
  const kept = join(directory, 'findings');
  if (names.length > 0) mkdirSync(kept, { recursive: true });
  const findings = names.map((name) => {
    const input = join(kept, name);
    renameSync(join(artifacts, name), input);
    writeFileSync(`${input}.txt`, report.slice(-OUTPUT_LIMIT));
    const bytes = readFileSync(input);
    return {
      input,
      report: `${bytes.length} bytes, base64 ${bytes.toString('base64').slice(0, 400)}\n${report.slice(-6000)}`,
    };
  });
  rmSync(artifacts, { recursive: true });
  return findings;
}

/** Collects what libFuzzer prints. */
export class FuzzerOutput {
  text = '';
  private coverage = 0;
  private features = 0;
  private corpus = 0;
  private executions = 0;
  private partial = '';

  take(chunk: string): void {
    this.text = (this.text + chunk).slice(-OUTPUT_LIMIT);
    const lines = (this.partial + chunk).split('\n');
    this.partial = lines.pop() ?? '';
    for (const line of lines) this.line(line);
  }

  figures(): Pick<FuzzRecord, 'executions' | 'coverage' | 'features' | 'corpus'> {
    const { executions, coverage, features, corpus } = this;
    return { executions, coverage, features, corpus };
  }

  private line(line: string): void {
    const status = /^#(\d+)\s+[A-Za-z]+\s+cov: (\d+) ft: (\d+) corp: (\d+)\//.exec(line);
    if (status !== null) {
      const [, executions, coverage, features, corpus] = status;
      this.executions = Number(executions);
      this.coverage = Number(coverage);
      this.features = Number(features);
      this.corpus = Number(corpus);
    }
    const units = /^stat::number_of_executed_units:\s*(\d+)/.exec(line)?.[1];
    if (units !== undefined) this.executions = Number(units);
  }
}
