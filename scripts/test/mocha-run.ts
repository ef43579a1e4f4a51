/** Runs one work item of a mocha lane in a process, a temporary directory and an artifact folder of its own. */
import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { describeLeaks, findLeaks, listTaps, RUN_MARKER, type Leak, type LeakScope } from '../../test/support/leaks.ts';
import type { TestEvent } from '../../test/support/test-event.ts';
import { ended, killGroup, killOnAbort, startChild } from './child.ts';
import type { Lane, WorkItem } from './lanes.ts';
import { Results } from './results.ts';

export interface MochaRunOptions {
  readonly root: string;
  readonly lane: Lane;
  readonly item: WorkItem;
  readonly results: Results;
  readonly grep?: string;
  /** Fires when the lane's time is up. */
  readonly signal: AbortSignal;
}

/** How much of a worker's own output is kept for messages, characters. */
const OUTPUT_LIMIT = 64 * 1024;
const OUTPUT_GRACE_MS = 500;

/** Runs the files and adds a result for each test, and one for each fault of the process itself. */
export async function runMocha(options: MochaRunOptions): Promise<void> {
  const { root, lane, item, signal } = options;
  const results = new Results((result) => options.results.add(result));
  const directory = mkdtempSync(join(tmpdir(), 'a3s'));
  const artifacts = join(root, '.cache/test-artifacts', lane.name, item.label.replaceAll(/[^\w.-]+/g, '-'));
  rmSync(artifacts, { recursive: true, force: true });
  mkdirSync(artifacts, { recursive: true });
  const scope = { directory, marker: randomUUID(), tapsBefore: listTaps(), ignorePids: new Set([process.pid]) };
  const worker = startWorker(options, scope, artifacts);
  const fault = await followWorker(worker, { ...options, results });
  const leaks = findLeaks(scope);
  killGroup(worker);
  const base = { lane: lane.name, file: item.label, title: 'the test process', durationMs: 0 };
  if (fault !== undefined) {
    const detail = signal.aborted ? `the lane's time (${lane.budgetMs / 60_000} min) is up; ${fault}` : fault;
    results.add({ ...base, outcome: 'failed', detail });
  } else if (leaks.length > 0 && results.count('failed') === 0) {
    const detail = `left behind after the test process had ended:\n${describeLeaks(leaks)}`;
    results.add({ ...base, outcome: 'failed', detail });
  }
  const failed = results.count('failed') > 0;
  if (failed) keepLogs(directory, artifacts);
  cleanUp(directory, leaks);
  if (!failed || readdirSync(artifacts).length === 0) rmSync(artifacts, { recursive: true, force: true });
}

function startWorker({ root, lane, item, grep }: MochaRunOptions, scope: LeakScope, artifacts: string): ChildProcess {
  const job = { files: item.files.map((file) => join(root, file)), timeoutMs: lane.testTimeoutMs, grep };
  const worker = join(root, 'test/support/mocha-worker.ts');
  return startChild(process.execPath, ['--enable-source-maps', worker, JSON.stringify(job)], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TMPDIR: scope.directory,
      A3S_BOX_HOME: join(scope.directory, 'home'),
      A3S_BOX_TEST_ARTIFACTS: artifacts,
      NODE_COMPILE_CACHE: join(root, '.cache/node-compile-cache'),
      [RUN_MARKER]: scope.marker,
    },
  });
}

/** Adds what the worker reports. @returns what went wrong with the process as a whole, if anything did. */
async function followWorker(child: ChildProcess, options: MochaRunOptions): Promise<string | undefined> {
  const { lane, item, results, signal } = options;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-OUTPUT_LIMIT)));
  }
  using _ = killOnAbort(child, signal);
  let complete = false;
  const lines = createInterface({ input: child.stdio[3] as Readable });
  lines.on('line', (line) => {
    const event = JSON.parse(line) as TestEvent;
    if (event.type === 'end') complete = true;
    addEvent(results, lane.name, item.label, event);
  });
  const linesClosed = once(lines, 'close');
  const closed = once(child, 'close');
  const end = await ended(child);
  await linesClosed;
  // Something that was left behind may hold the output open.
  await Promise.race([closed, setTimeout(OUTPUT_GRACE_MS)]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  if (complete && (end === undefined || results.count('failed') > 0)) return undefined;
  return `the process ended with ${end ?? 'status 0 before its tests did'}; its output:\n${output}`;
}

function addEvent(results: Results, lane: string, label: string, event: TestEvent): void {
  if (event.type === 'begin' || event.type === 'end') return;
  const base = { lane, file: event.file || label, title: event.title };
  if (event.type === 'pass') results.add({ ...base, outcome: 'passed', durationMs: event.durationMs });
  else if (event.type === 'fail') results.add({ ...base, outcome: 'failed', durationMs: 0, detail: event.error });
  else results.addSkip({ ...base, durationMs: 0 }, event.reason);
}

/** Keeps consoles and logs of a failed run. */
function keepLogs(directory: string, artifacts: string): void {
  for (const file of globSync(['**/console*', '**/*.log', '**/*.stderr'], { cwd: directory })) {
    cpSync(join(directory, file), join(artifacts, file), { recursive: true });
  }
}

/** Frees what was left, so that the next tests are not disturbed: it has been reported. */
function cleanUp(directory: string, leaks: readonly Leak[]): void {
  for (const leak of leaks) {
    if (leak.kind === 'process' && leak.pid !== undefined) {
      try {
        process.kill(leak.pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    } else if (leak.kind === 'mount') execFileSync('umount', ['-l', leak.what]);
    else if (leak.kind === 'loop device') detach(leak.what);
    else if (leak.kind === 'tap') execFileSync('ip', ['link', 'delete', leak.what]);
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

/** Detaches a loop device; one that was mounted with `-o loop` detaches by itself after its mount. */
function detach(loopDevice: string): void {
  const { stderr } = spawnSync('losetup', ['-d', `/dev/${loopDevice}`], { encoding: 'utf8' });
  if (existsSync(`/sys/block/${loopDevice}/loop/backing_file`)) throw new Error(stderr);
}
