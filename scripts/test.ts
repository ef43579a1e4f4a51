/** Runs the tests, lane by lane. `npm test -- ARGUMENTS`; see USAGE in scripts/test/arguments.ts. */
import { join } from 'node:path';
import { parseSelection, USAGE, type Selection } from './test/arguments.ts';
import { fuzzTargets } from './fuzz/targets.ts';
import { killAllChildren } from './test/child.ts';
import { hostItems, runKvmHost } from './test/kvm-host-run.ts';
import type { HostLane } from '../test/kvm-host/suites.ts';
import { ItemTimes } from './test/item-times.ts';
import { runFuzz } from './test/fuzz-run.ts';
import { discoverTests, LANES, workItems, type Lane } from './test/lanes.ts';
import { runLint } from './test/lint-run.ts';
import { runMocha } from './test/mocha-run.ts';
import { Reporter, type LaneTime } from './test/report.ts';
import { Results } from './test/results.ts';
import { runRust } from './test/rust-run.ts';

const root = join(import.meta.dirname, '..');
const reporter = new Reporter((line) => console.log(line));
const itemTimes = new ItemTimes(root);
const results = new Results((result) => reporter.onResult(result));

/** Runs the items of a mocha lane, a few at the same time; what the budget leaves no time for fails. */
async function runMochaLane(lane: Lane, selection: Selection, signal: AbortSignal): Promise<void> {
  const items = workItems(lane, selectFiles(lane, selection), itemTimes.all);
  if (items.length === 0 && selection.complete) {
    const empty = { lane: lane.name, file: '', title: `the ${lane.name} lane has tests`, durationMs: 0 };
    results.add({ ...empty, outcome: 'failed', detail: `no file ends in the suffix of the ${lane.name} lane` });
  }
  const { grep } = selection;
  const takeNext = async (): Promise<void> => {
    for (let item = items.shift(); item !== undefined; item = items.shift()) {
      if (signal.aborted) {
        const late = { lane: lane.name, file: item.label, title: 'the file is run', durationMs: 0 };
        results.add({ ...late, outcome: 'failed', detail: `the lane's time (${lane.budgetMs / 60_000} min) was up` });
        continue;
      }
      const begin = Date.now();
      await runMocha({ root, lane, item, results, signal, ...(grep === undefined ? {} : { grep }) });
      const duration = Date.now() - begin;
      itemTimes.set(item.label, duration);
      reporter.line(`${lane.name} ---- ${item.label} (${(duration / 1000).toFixed(1)} s)`);
    }
  };
  await Promise.all(Array.from({ length: lane.parallel }, takeNext));
}

function selectFiles(lane: Lane, selection: Selection): string[] {
  if (lane.kind === 'kvm-host')
    return hostItems(lane.name as HostLane, selection.filters).flatMap(({ suites, backend }) =>
      suites.map(({ file }) => (backend ? `${file} on ${backend}` : file)),
    );
  const files = lane.kind === 'fuzz' ? fuzzTargets(root).map(({ file }) => file) : discoverTests(root, lane.name);
  if (selection.filters.length === 0) return files;
  return files.filter((file) => selection.filters.some((part) => file.includes(part)));
}

async function runLane(lane: Lane, selection: Selection): Promise<LaneTime> {
  const begin = Date.now();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), lane.budgetMs);
  if (lane.kind === 'lint') await runLint(root, results, timeout.signal);
  else if (lane.kind === 'rust') await runRust(root, results, timeout.signal);
  else if (lane.kind === 'fuzz') await runFuzz(root, results, { signal: timeout.signal, filters: selection.filters });
  else if (lane.kind === 'kvm-host') {
    const { filters, grep } = selection;
    const say = (line: string): void => reporter.line(line);
    const base = { root, lane, results, filters, signal: timeout.signal, itemTimes, say };
    await runKvmHost(grep === undefined ? base : { ...base, grep });
  } else await runMochaLane(lane, selection, timeout.signal);
  clearTimeout(timer);
  return { lane: lane.name, durationMs: Date.now() - begin, budgetMs: lane.budgetMs };
}

async function main(argv: readonly string[]): Promise<number> {
  const selection = parseSelection(argv);
  if (typeof selection === 'string') {
    console.error(`${selection}\n\n${USAGE}`);
    return 2;
  }
  const lanes = LANES.filter((lane) => selection.lanes.includes(lane.name));
  if (selection.list) {
    for (const lane of lanes) for (const file of selectFiles(lane, selection)) console.log(`${lane.name}  ${file}`);
    return 0;
  }
  const times: LaneTime[] = [];
  for (const lane of lanes) times.push(await runLane(lane, selection));
  itemTimes.save();
  reporter.summary(results, times);
  return results.exitCode();
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    killAllChildren();
    process.exit(130);
  });
}
process.exitCode = await main(process.argv.slice(2));
