/** Runs one work item of a mocha lane in a process, a temporary directory and an artifact folder of its own. */
import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, globSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describeLeaks, findLeaks, listTaps, RUN_MARKER, type Leak, type LeakScope } from '../../test/support/leaks.ts';
import { killGroup, startChild } from './child.ts';
import type { Lane, WorkItem } from './lanes.ts';
import { Results } from './results.ts';
import { followWorker } from './worker-events.ts';

export interface MochaRunOptions {
  readonly root: string;
  readonly lane: Lane;
  readonly item: WorkItem;
  readonly results: Results;
  readonly grep?: string;
  /** Fires when the lane's time is up. */
  readonly signal: AbortSignal;
}

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
  const streams = { events: worker.stdio[3] as Readable, output: [worker.stdout, worker.stderr] };
  const fault = await followWorker(worker, streams, { lane: lane.name, label: item.label, results, signal });
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

/** Keeps consoles and logs of a failed run. */
function keepLogs(directory: string, artifacts: string): void {
  for (const file of globSync(['**/console*', '**/*.log', '**/*.stderr'], { cwd: directory })) {
    // A console is a pipe while its VM is started.
    if (lstatSync(join(directory, file)).isFile()) cpSync(join(directory, file), join(artifacts, file));
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

/** Detaches a loop device, at once or when it is used no more; one that was mounted with `-o loop` does so by itself. */
function detach(loopDevice: string): void {
  const { status, stderr } = spawnSync('losetup', ['-d', `/dev/${loopDevice}`], { encoding: 'utf8' });
  if (status !== 0 && existsSync(`/sys/block/${loopDevice}/loop/backing_file`)) throw new Error(stderr);
}
