/** The kvm-host lane: test files inside the emulated KVM host, which is started from its snapshot for the lane. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT, KvmHost, shellWord } from '../../test/kvm-host/kvm-host.ts';
import { hostObstacle } from '../../test/kvm-host/obstacle.ts';
import { HOST_SECONDS, HOST_SUITES, type HostLane } from '../../test/kvm-host/suites.ts';
import { RUN_MARKER } from '../../test/support/leaks.ts';
import type { ItemTimes } from './item-times.ts';
import { discoverTests, type Lane } from './lanes.ts';
import { Results, type TestResult } from './results.ts';
import { followWorker } from './worker-events.ts';

/** In the host: where tests have their files. */
const RUN_DIRECTORY = '/scratch/tmp/run';
/** By how much tests may take longer in the host than in the machine itself. */
const SLOWNESS = 4;

/** A file on a backend. */
interface HostItem {
  readonly file: string;
  readonly backend?: string;
  readonly grep?: string;
}

export interface KvmHostRunOptions {
  readonly root: string;
  readonly lane: Lane;
  readonly results: Results;
  /** Parts of files' paths; none for all. */
  readonly filters: readonly string[];
  readonly grep?: string;
  /** Fires when the lane's time is up. */
  readonly signal: AbortSignal;
  readonly itemTimes: ItemTimes;
  readonly say: (line: string) => void;
}

/** Files of the lane, with the backend where one is set. */
export function hostItems(root: string, lane: HostLane, filters: readonly string[]): HostItem[] {
  const own = discoverTests(root, 'kvm-host').map((file) => ({ file }));
  const shared = HOST_SUITES[lane].flatMap(({ backends, ...suite }) =>
    backends.map((backend) => ({ ...suite, backend })),
  );
  const all: HostItem[] = [...own, ...shared];
  return filters.length === 0 ? all : all.filter(({ file }) => filters.some((part) => file.includes(part)));
}

export async function runKvmHost(options: KvmHostRunOptions): Promise<void> {
  const { root, lane, itemTimes } = options;
  const items = hostItems(root, lane.name as HostLane, options.filters).sort(
    (a, b) => timeOf(b, itemTimes) - timeOf(a, itemTimes),
  );
  if (items.length === 0) return;
  const obstacle = hostObstacle();
  if (obstacle !== undefined) return items.forEach((item) => withoutHost(item, obstacle, options));
  rmSync(artifactsOf(root, lane), { recursive: true, force: true });
  // The first start makes what is missing; the others find it.
  const first = startHost(options);
  const takeNext = async (host: Promise<KvmHost | undefined>): Promise<void> => {
    await using running = await host;
    for (let item = running && items.shift(); running && item; item = items.shift())
      await runAndTell(running, item, options);
  };
  const others = Array.from({ length: Math.min(lane.parallel, items.length) - 1 }, async () => {
    if ((await first) !== undefined && items.length > 0) await takeNext(startHost(options));
  });
  await Promise.all([takeNext(first), ...others]);
  for (const item of items)
    options.results.add({ ...baseOf(item, lane), outcome: 'failed', detail: 'no host to run it' });
}

/** Where CI=true the machine is known to be able to. */
function withoutHost(item: HostItem, obstacle: string, { lane, results }: KvmHostRunOptions): void {
  const base = baseOf(item, lane);
  if (process.env['CI'] === 'true') results.add({ ...base, outcome: 'failed', detail: obstacle });
  else results.addSkip(base, obstacle);
}

/** A host; none, which is a failure of the lane, when it does not start. */
async function startHost({ root, lane, results, say }: KvmHostRunOptions): Promise<KvmHost | undefined> {
  const begin = Date.now();
  try {
    const host = await KvmHost.start(root, say);
    say(`${lane.name} ---- a host is up (${seconds(begin)})`);
    return host;
  } catch (error) {
    const base = {
      lane: lane.name,
      file: 'test/kvm-host',
      title: 'the KVM host starts',
      durationMs: Date.now() - begin,
    };
    results.add({ ...base, outcome: 'failed', detail: (error as Error).stack ?? String(error) });
    return undefined;
  }
}

async function runAndTell(host: KvmHost, item: HostItem, options: KvmHostRunOptions): Promise<void> {
  const { root, lane, signal, say, itemTimes } = options;
  const begin = Date.now();
  const results = new Results((result) => options.results.add(result));
  await runItem(host, item, { ...options, results });
  if (!signal.aborted) itemTimes.set(labelOf(item), Date.now() - begin);
  say(`${lane.name} ---- ${labelOf(item)} (${seconds(begin)})`);
  if (results.count('failed') > 0) await keepLogs(host, join(artifactsOf(root, lane), labelOf(item)), signal);
}

async function runItem(host: KvmHost, item: HostItem, options: KvmHostRunOptions): Promise<void> {
  const { lane, results, signal } = options;
  const base = baseOf(item, lane);
  const late = `the lane's time (${lane.budgetMs / 60_000} min) was up`;
  if (signal.aborted) return results.add({ ...base, outcome: 'failed', detail: late });
  const worker = host.spawn(workerCommand(item, options), { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  if (worker.stdout === null) throw new Error('the worker has no stdout');
  const scope = { lane: lane.name, label: item.file, prefix: prefixOf(item), results, signal };
  const fault = await followWorker(worker, { events: worker.stdout, output: [worker.stderr] }, scope);
  if (fault === undefined) return;
  results.add({ ...base, outcome: 'failed', detail: signal.aborted ? `${late}; ${fault}` : fault });
}

/** The worker reports on descriptor 3, which is the connection's stdout; what it prints goes to the other one. */
function workerCommand(
  item: HostItem,
  { lane, grep = item.grep }: KvmHostRunOptions,
): { readonly line: string; readonly environment: Record<string, string> } {
  const job = { files: [join(CHECKOUT, item.file)], timeoutMs: lane.testTimeoutMs, timeoutFactor: SLOWNESS, grep };
  const directory = RUN_DIRECTORY;
  const worker = ['node', '--enable-source-maps', 'test/support/mocha-worker.ts', JSON.stringify(job)];
  return {
    line: `mkdir -p ${directory} && exec ${worker.map(shellWord).join(' ')} 3>&1 1>&2`,
    environment: {
      TMPDIR: directory,
      A3S_BOX_HOME: `${directory}/home`,
      NODE_COMPILE_CACHE: '/scratch/compile-cache',
      A3S_BOX_KVM_HOST: '1',
      [RUN_MARKER]: labelOf(item),
      ...(item.backend === undefined ? {} : { A3S_BOX_BACKEND: item.backend }),
      ...(process.env['CI'] === undefined ? {} : { CI: process.env['CI'] }),
    },
  };
}

function labelOf({ file, backend }: HostItem): string {
  return backend === undefined ? file : `${file} on ${backend}`;
}

function prefixOf({ backend }: HostItem): string {
  return backend === undefined ? '' : `${backend}: `;
}

function baseOf(item: HostItem, { name }: Lane): Omit<TestResult, 'outcome'> {
  return { lane: name, file: item.file, title: `${prefixOf(item)}the test process`, durationMs: 0 };
}

function timeOf(item: HostItem, times: ItemTimes): number {
  return times.all[labelOf(item)] ?? (HOST_SECONDS[item.file] ?? 0) * 1000;
}

function artifactsOf(root: string, { name }: Lane): string {
  return join(root, '.cache/test-artifacts', name);
}

/** Keeps what the host's kernel said, and the consoles and logs of the boxes in it. */
async function keepLogs(host: KvmHost, directory: string, signal: AbortSignal): Promise<void> {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'host-console.log'), await host.console());
  if (signal.aborted) return;
  const find = "find . -name 'console*' -o -name '*.log' -o -name '*.stderr'";
  const archive = await host.run({ line: `${find} | tar -c -z -T - | base64`, directory: RUN_DIRECTORY });
  writeFileSync(join(directory, 'logs.tar.gz'), Buffer.from(archive, 'base64'));
}

function seconds(begin: number): string {
  return `${((Date.now() - begin) / 1000).toFixed(1)} s`;
}
