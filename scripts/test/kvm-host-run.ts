/** The kvm-host lane: test files inside the emulated KVM host, which is started from its snapshot for the lane. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT, KvmHost, shellWord } from '../../test/kvm-host/kvm-host.ts';
import { HOST_SUITES } from '../../test/kvm-host/suites.ts';
import { RUN_MARKER } from '../../test/support/leaks.ts';
import { discoverTests, type Lane } from './lanes.ts';
import { Results } from './results.ts';
import { followWorker } from './worker-events.ts';

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
  readonly say: (line: string) => void;
}

/** Files of the lane, with the backend where one is set. */
export function hostItems(root: string, filters: readonly string[]): HostItem[] {
  const own = discoverTests(root, 'kvm-host').map((file) => ({ file }));
  const shared = HOST_SUITES.flatMap(({ backends, ...suite }) => backends.map((backend) => ({ ...suite, backend })));
  const all: HostItem[] = [...own, ...shared];
  return filters.length === 0 ? all : all.filter(({ file }) => filters.some((part) => file.includes(part)));
}

export async function runKvmHost(options: KvmHostRunOptions): Promise<void> {
  const { root, lane, results, signal, say } = options;
  const items = hostItems(root, options.filters);
  if (items.length === 0) return;
  const begin = Date.now();
  let host: KvmHost;
  try {
    host = await KvmHost.start(root, say);
  } catch (error) {
    const base = {
      lane: lane.name,
      file: 'test/kvm-host',
      title: 'the KVM host starts',
      durationMs: Date.now() - begin,
    };
    results.add({ ...base, outcome: 'failed', detail: (error as Error).stack ?? String(error) });
    return;
  }
  await using _ = host;
  say(`${lane.name} ---- the host is up (${seconds(begin)})`);
  for (const item of items) {
    const start = Date.now();
    await runItem(host, item, options);
    say(`${lane.name} ---- ${labelOf(item)} (${seconds(start)})`);
  }
  if (signal.aborted || results.count('failed', lane.name) > 0) keepConsole(root, lane, await host.console());
}

async function runItem(host: KvmHost, item: HostItem, options: KvmHostRunOptions): Promise<void> {
  const { lane, signal } = options;
  const results = new Results((result) => options.results.add(result));
  const base = { lane: lane.name, file: item.file, title: `${prefixOf(item)}the test process`, durationMs: 0 };
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
  const job = { files: [join(CHECKOUT, item.file)], timeoutMs: lane.testTimeoutMs, grep };
  const directory = '/scratch/tmp/run';
  const worker = ['node', '--enable-source-maps', 'test/support/mocha-worker.ts', JSON.stringify(job)];
  return {
    line: `mkdir -p ${directory} && exec ${worker.map(shellWord).join(' ')} 3>&1 1>&2`,
    environment: {
      TMPDIR: directory,
      A3S_BOX_HOME: `${directory}/home`,
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

function keepConsole(root: string, lane: Lane, text: string): void {
  const artifacts = join(root, '.cache/test-artifacts', lane.name);
  rmSync(artifacts, { recursive: true, force: true });
  mkdirSync(artifacts, { recursive: true });
  writeFileSync(join(artifacts, 'console.log'), text);
}

function seconds(begin: number): string {
  return `${((Date.now() - begin) / 1000).toFixed(1)} s`;
}
