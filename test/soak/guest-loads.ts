/** What a box has to stand: many orphans, much output, no memory, many execs. Small or large, by the figures given. */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';

const IMAGE = 'a3s/starter';
/** Bytes of a line of the flood, with its end. */
const LINE_BYTES = 1000;

export interface LoadOutcome {
  /** Null when it was killed. */
  readonly code: number | null;
  readonly stdout: string | Buffer;
  readonly stderr: string;
}

/** Runs one a3s-box command to its end. */
export type RunCommand = (args: readonly string[]) => Promise<LoadOutcome>;

/**
 * Has a box make orphans that end at once. Without an init of ours it is the main process that reaps, as in Docker: a shell
 * here.
 */
export async function orphans(run: RunCommand, { count, init }: { count: number; init: boolean }): Promise<object> {
  const main = init ? ['sleep', '100000'] : ['sh', '-c', 'sleep 100000 & wait'];
  await output(run, ['run', '-d', '--name', 'orphans', '-m', '256m', ...(init ? ['--init'] : []), IMAGE, ...main]);
  const begin = performance.now();
  const storm = `i=0; while [ $i -lt ${count} ]; do (true &); i=$((i+1)); done; echo $i`;
  assert.equal(await output(run, ['exec', 'orphans', 'sh', '-c', storm]), String(count));
  const seconds = secondsSince(begin);
  // The last of them may still be on their way.
  const look =
    'for t in 1 2 3 4 5 6 7 8 9 10; do n=$(ps -o stat | grep -c ^Z); [ $n = 0 ] && break; sleep 0.2; done; echo $n';
  assert.equal(await output(run, ['exec', 'orphans', 'sh', '-c', look]), '0', 'zombies are left');
  const left = (await output(run, ['exec', 'orphans', 'ps', '-o', 'comm'])).split('\n').length - 1;
  assert.ok(left <= 5, `${left} processes are left`);
  await output(run, ['rm', '-f', 'orphans']);
  return { count, init, zombies: 0, seconds };
}

export interface FloodOptions {
  readonly lines: number;
  /** Of one file, as `--log-opt max-size` has it, in units of 1000 * 1000 bytes. */
  readonly fileMegabytes: number;
  readonly files: number;
}

/** Has a box write more than its log may hold. What is kept is the end of it, without a gap. */
export async function flood(run: RunCommand, { lines, fileMegabytes, files }: FloodOptions): Promise<object> {
  const program = `BEGIN { p = sprintf("%0${LINE_BYTES - 9}d", 0); for (i = 1; i <= ${lines}; i++) printf "%07d %s\\n", i, p }`;
  const limits = ['--log-opt', `max-size=${fileMegabytes}m`, '--log-opt', `max-file=${files}`];
  const begin = performance.now();
  await output(run, ['run', '-d', '--name', 'flood', '-m', '256m', ...limits, IMAGE, 'awk', program]);
  assert.equal(await output(run, ['wait', 'flood']), '0');
  const seconds = secondsSince(begin);
  const directory = await output(run, ['inspect', '--format', '{{.LogPath}}', 'flood']);
  const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(`${directory}/${name}`).size, 0);
  assert.ok(bytes <= files * fileMegabytes * 1e6, `the log has ${bytes} bytes`);
  const kept = (await run(['logs', 'flood'])).stdout.toString().split('\n');
  assert.equal(kept.pop(), '');
  // The oldest file may begin in the middle of a line.
  const first = kept.findIndex((line) => line.length === LINE_BYTES - 1);
  assert.ok(first === 0 || first === 1, `whole lines begin at ${first}`);
  const numbers = kept.slice(first).map((line) => Number(line.slice(0, 7)));
  assert.equal(numbers.at(-1), lines, 'the last line is missing');
  const gap = numbers.findIndex((number, index) => index > 0 && number !== numbers[index - 1]! + 1);
  assert.equal(gap, -1, `after line ${numbers[gap - 1]} comes line ${numbers[gap]}`);
  // All files but the one that is written are full, up to a record and the form that records have.
  assert.ok(
    numbers.length * LINE_BYTES > (files - 1) * fileMegabytes * 1e6 * 0.8,
    `only ${numbers.length} lines are kept`,
  );
  await output(run, ['rm', 'flood']);
  return { writtenBytes: lines * LINE_BYTES, logBytes: bytes, keptLines: numbers.length, seconds };
}

/** Has a box take more memory than it has. */
export async function outOfMemory(run: RunCommand, { init }: { init: boolean }): Promise<object> {
  const options = ['-m', '256m', ...(init ? ['--init'] : [])];
  const begin = performance.now();
  const { code } = await run(['run', '--name', 'hungry', ...options, IMAGE, 'tail', '/dev/zero']);
  const seconds = secondsSince(begin);
  const format = '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}';
  assert.equal(await output(run, ['inspect', '--format', format, 'hungry']), 'true 137 exited');
  assert.equal(code, 137);
  await output(run, ['rm', 'hungry']);
  return { init, seconds };
}

/** Has many processes run at the same time in a box, each with an end and an output of its own. */
export async function parallelExecs(run: RunCommand, { count }: { count: number }): Promise<object> {
  await output(run, ['run', '-d', '--name', 'busy', '-m', '256m', IMAGE, 'sleep', '100000']);
  const begin = performance.now();
  const numbers = [...Array(count).keys()].map((index) => index + 1);
  const outcomes = await Promise.all(
    numbers.map((number) => run(['exec', 'busy', 'sh', '-c', `echo ${number}; sleep 0.5; exit ${number}`])),
  );
  const seconds = secondsSince(begin);
  assert.deepEqual(
    outcomes.map(({ code }) => code),
    numbers,
  );
  assert.deepEqual(
    outcomes.map(({ stdout }) => Number(stdout.toString())),
    numbers,
  );
  await output(run, ['rm', '-f', 'busy']);
  return { count, seconds };
}

async function output(run: RunCommand, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  assert.equal(code, 0, `a3s-box ${args.join(' ')}: ${stderr}`);
  return stdout.toString().trim();
}

function secondsSince(begin: number): number {
  return Math.round((performance.now() - begin) / 100) / 10;
}
