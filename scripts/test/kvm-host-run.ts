/** The kvm-host lane: test files inside the emulated KVM host, which is started from its snapshot for the lane. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileCacheEnvironment } from '../../test/kvm-host/compile-cache.ts';
import { CHECKOUT, KvmHost, shellWord } from '../../test/kvm-host/kvm-host.ts';
import { hostObstacle } from '../../test/kvm-host/obstacle.ts';
import { HOST_GROUPS, type HostGroup, type HostLane } from '../../test/kvm-host/suites.ts';
import { RUN_MARKER } from '../../test/support/leaks.ts';
import type { ItemTimes } from './item-times.ts';
import type { Lane } from './lanes.ts';
import { Results, type TestResult } from './results.ts';
import { followWorker } from './worker-events.ts';

/** In the host: where tests have their files. */
const RUN_DIRECTORY = '/scratch/tmp/run';
/**
 * By how much tests may take longer in the host than on the machine itself, where `node -e 0` takes so long in it as on a
 * quiet machine; where it takes longer they may as well.
 */
const SLOWNESS = 6;
const QUIET_START_MS = 900;

/** A group of which there may be only some files. */
interface HostItem extends HostGroup {
  readonly label: string;
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

/** The lane's groups; with filters only the files that match, and no group that is empty then. */
export function hostItems(lane: HostLane, filters: readonly string[]): HostItem[] {
  const all = HOST_GROUPS[lane].map((group) => ({ ...group, label: labelOf(group) }));
  if (filters.length === 0) return all;
  const matches = (text: string): boolean => filters.some((part) => text.includes(part));
  return all
    .map((item) => ({ ...item, suites: item.suites.filter(({ file }) => matches(file)) }))
    .filter(({ suites }) => suites.length > 0);
}

export async function runKvmHost(options: KvmHostRunOptions): Promise<void> {
  const { root, lane, itemTimes } = options;
  const items = hostItems(lane.name as HostLane, options.filters).sort(
    (a, b) => timeOf(b, lane, itemTimes) - timeOf(a, lane, itemTimes),
  );
  if (items.length === 0) return;
  const obstacle = hostObstacle();
  if (obstacle !== undefined) return items.forEach((item) => withoutHost(item, obstacle, options));
  rmSync(artifactsOf(root, lane), { recursive: true, force: true });
  // The first start makes what is missing; the others find it.
  const first = startHost(options);
  const takeNext = async (host: Promise<KvmHost | undefined>): Promise<void> => {
    await using running = await host;
    const slowness = running === undefined ? SLOWNESS : await slownessOf(running, options.say);
    for (let item = running && items.shift(); running && item; item = items.shift())
      await runAndTell(running, item, { ...options, slowness });
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

/** By how much limits of time are longer in this host, now. */
async function slownessOf(host: KvmHost, say: (line: string) => void): Promise<number> {
  const line = 'node -e 0';
  await host.run({ line });
  const begin = Date.now();
  await host.run({ line });
  const slowness = SLOWNESS * Math.max(1, (Date.now() - begin) / QUIET_START_MS);
  say(
    `kvm-host ---- Node.js starts in ${seconds(begin)} there; limits of time are ${slowness.toFixed(1)} times as long`,
  );
  return slowness;
}

interface ItemOptions extends KvmHostRunOptions {
  readonly slowness: number;
}

async function runAndTell(host: KvmHost, item: HostItem, options: ItemOptions): Promise<void> {
  const { root, lane, signal, say, itemTimes } = options;
  const begin = Date.now();
  const results = new Results((result) => options.results.add(result));
  await runItem(host, item, { ...options, results });
  if (!signal.aborted) itemTimes.set(itemKey(lane, item), Date.now() - begin);
  say(`${lane.name} ---- ${item.label} (${seconds(begin)})`);
  if (results.count('failed') > 0) await keepLogs(host, join(artifactsOf(root, lane), item.label), signal);
}

async function runItem(host: KvmHost, item: HostItem, options: ItemOptions): Promise<void> {
  const { lane, results, signal } = options;
  const base = baseOf(item, lane);
  const late = `the lane's time (${lane.budgetMs / 60_000} min) was up`;
  if (signal.aborted) return results.add({ ...base, outcome: 'failed', detail: late });
  const worker = host.spawn(workerCommand(item, options), { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  if (worker.stdout === null) throw new Error('the worker has no stdout');
  const scope = { lane: lane.name, label: item.label, prefix: prefixOf(item), results, signal };
  const fault = await followWorker(worker, { events: worker.stdout, output: [worker.stderr] }, scope);
  if (fault === undefined) return;
  results.add({ ...base, outcome: 'failed', detail: signal.aborted ? `${late}; ${fault}` : fault });
}

/** The worker reports on descriptor 3, which is the connection's stdout; what it prints goes to the other one. */
function workerCommand(
  item: HostItem,
  { lane, grep, slowness }: ItemOptions,
): { readonly line: string; readonly environment: Record<string, string> } {
  const inHost = (file: string): string => join(CHECKOUT, file);
  const chosen = item.suites.flatMap(({ file, grep: only }) => (only === undefined ? [] : [[inHost(file), only]]));
  const job = {
    files: item.suites.map(({ file }) => inHost(file)),
    // Who names tests gets them, chosen for the lane or not.
    ...(grep === undefined ? { only: Object.fromEntries(chosen) as Record<string, string> } : { grep }),
    timeoutMs: lane.testTimeoutMs,
    timeoutFactor: slowness,
  };
  const directory = RUN_DIRECTORY;
  // Without source maps, which take seconds to read there.
  const worker = ['node', 'test/support/mocha-worker.ts', JSON.stringify(job)];
  return {
    line: `mkdir -p ${directory} && exec ${worker.map(shellWord).join(' ')} 3>&1 1>&2`,
    environment: {
      TMPDIR: directory,
      A3S_BOX_HOME: `${directory}/home`,
      ...compileCacheEnvironment(CHECKOUT),
      A3S_BOX_KVM_HOST: '1',
      A3S_BOX_TEST_SLOWNESS: String(slowness),
      [RUN_MARKER]: item.label,
      ...(item.backend === undefined ? {} : { A3S_BOX_BACKEND: item.backend }),
      ...(process.env['CI'] === undefined ? {} : { CI: process.env['CI'] }),
    },
  };
}

function labelOf({ name, backend }: HostGroup): string {
  return backend === undefined ? name : `${name} on ${backend}`;
}

function prefixOf({ backend }: HostItem): string {
  return backend === undefined ? '' : `${backend}: `;
}

function baseOf(item: HostItem, { name }: Lane): Omit<TestResult, 'outcome'> {
  return { lane: name, file: item.label, title: `${prefixOf(item)}the test process`, durationMs: 0 };
}

function itemKey(lane: Lane, { label }: HostItem): string {
  return `${lane.name} ${label}`;
}

function timeOf(item: HostItem, lane: Lane, times: ItemTimes): number {
  return times.all[itemKey(lane, item)] ?? item.seconds * 1000;
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
