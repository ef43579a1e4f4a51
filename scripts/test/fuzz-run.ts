/** The fuzz lane: every target for a minute, two at the same time. */
import { spawnSync } from 'node:child_process';
import { prepareCTarget } from '../fuzz/c-target.ts';
import { ensureFuzzerAddon } from '../fuzz/fuzzer-addon.ts';
import { prepareNodeTarget } from '../fuzz/node-target.ts';
import { runTarget, type FuzzRecord } from '../fuzz/run-target.ts';
import { buildRustTargets, prepareRustTarget } from '../fuzz/rust-target.ts';
import { CARGO_MISSING, fuzzTargets, type FuzzTarget, type PreparedTarget } from '../fuzz/targets.ts';
import type { Results } from './results.ts';

const LANE = 'fuzz';
const SECONDS = 60;
const PARALLEL = 2;

/** @param filters parts of targets' paths; none for all */
export async function runFuzz(
  root: string,
  results: Results,
  { signal, filters }: { readonly signal: AbortSignal; readonly filters: readonly string[] },
): Promise<void> {
  const all = fuzzTargets(root);
  const targets = filters.length === 0 ? all : all.filter(({ file }) => filters.some((part) => file.includes(part)));
  if (all.length === 0) {
    results.add({
      lane: LANE,
      file: '',
      title: 'there are fuzz targets',
      outcome: 'failed',
      durationMs: 0,
      detail: 'none',
    });
  }
  if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status !== 0) {
    for (const target of targets) withoutCargo(target, results);
    return;
  }
  const queue = [...targets];
  // Each is made once, when its first target's turn comes; the other place goes on with what needs it not.
  const rust = once(() => buildRustTargets(root, signal));
  const node = once(() => ensureFuzzerAddon(root));
  const prepare = async (target: FuzzTarget): Promise<PreparedTarget> => {
    if (target.kind === 'c') return prepareCTarget(root, target, signal);
    await (target.kind === 'rust' ? rust() : node());
    return target.kind === 'rust' ? prepareRustTarget(root, target) : prepareNodeTarget(root, target);
  };
  const takeNext = async (): Promise<void> => {
    for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
      const begin = Date.now();
      const outcome = await prepare(target)
        .then((prepared) => runTarget(prepared, { root, seconds: SECONDS, signal }))
        .catch((error: unknown) => error as Error);
      report(target, { outcome, durationMs: Date.now() - begin, late: signal.aborted }, results);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, takeNext));
}

function withoutCargo(target: FuzzTarget, results: Results): void {
  const base = { lane: LANE, file: target.file, title: title(target), durationMs: 0 };
  if (process.env['CI'] === 'true') results.add({ ...base, outcome: 'failed', detail: CARGO_MISSING });
  else results.addSkip(base, CARGO_MISSING);
}

interface Run {
  readonly outcome: FuzzRecord | Error;
  readonly durationMs: number;
  /** Whether the lane's time was up. */
  readonly late: boolean;
}

function report(target: FuzzTarget, { outcome, durationMs, late }: Run, results: Results): void {
  const base = { lane: LANE, file: target.file, durationMs };
  if (late) {
    results.add({ ...base, title: title(target), outcome: 'failed', detail: "the lane's time was up" });
  } else if (outcome instanceof Error) {
    results.add({ ...base, title: title(target), outcome: 'failed', detail: outcome.message });
  } else if (outcome.findings.length > 0) {
    const detail = outcome.findings.map(({ input, report: text }) => `${input}\n${text}`).join('\n');
    results.add({ ...base, title: title(target), outcome: 'failed', detail });
  } else if (outcome.executions === 0 || outcome.coverage === 0) {
    results.add({
      ...base,
      title: title(target),
      outcome: 'failed',
      detail: 'nothing was run, or nothing was instrumented',
    });
  } else {
    const figures = `${outcome.executions} inputs, ${outcome.coverage} edges`;
    results.add({ ...base, title: `${title(target)}: ${figures}`, outcome: 'passed' });
  }
}

function title({ name }: FuzzTarget): string {
  return `nothing is found in ${SECONDS} s by ${name}`;
}

/** Starts a thing when it is first asked for. */
function once(start: () => Promise<void>): () => Promise<void> {
  let started: Promise<void> | undefined;
  return () => (started ??= start());
}
