/**
 * Runs test files in this process and reports on file descriptor 3 (see test-event.ts). Started by scripts/test.ts:
 *   node mocha-worker.ts '{"files": [...], "timeoutMs": 5000, "grep": "..."}'
 */
import { writeSync } from 'node:fs';
import { relative } from 'node:path';
import Mocha from 'mocha';
import { mochaHooks } from './mocha-hooks.ts';
import { skipReason } from './skip.ts';
import type { TestEvent } from './test-event.ts';

interface Job {
  readonly files: readonly string[];
  /** Of a file only the tests whose full title matches this regular expression. By path as in `files`. */
  readonly only?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** By how much the limits that the files set themselves are longer here; default 1. */
  readonly timeoutFactor?: number;
  readonly grep?: string;
}

/** How long what a test left open may keep this process alive, milliseconds; longer where limits are. */
const LINGER_MS = 3000;

function emit(event: TestEvent): void {
  writeSync(3, `${JSON.stringify(event)}\n`);
}

function describeError(error: unknown): string {
  const { stack, message, cause } = error as Error;
  let text = stack ?? message ?? String(error);
  if (message && !text.includes(message)) text = `${message}\n${text}`;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && !text.includes(code)) text += `\ncode: ${code}`;
  const details = (error as { details?: unknown }).details;
  if (details !== undefined) text += `\ndetails: ${JSON.stringify(details, null, 2)}`;
  return cause === undefined ? text : `${text}\ncaused by: ${describeError(cause)}`;
}

function report(runner: Mocha.Runner): void {
  let reported = 0;
  let failed = 0;
  const of = (test: Mocha.Runnable & { readonly type?: string }) => ({
    title: test.parent?.root === true && test.type === 'hook' ? 'nothing is left behind' : test.titlePath().join(' > '),
    file: test.file === undefined ? '' : relative(process.cwd(), test.file),
  });
  runner.on('start', () => emit({ type: 'begin', total: runner.total }));
  runner.on('pass', (test) => {
    reported++;
    emit({ type: 'pass', ...of(test), durationMs: test.duration ?? 0 });
  });
  runner.on('fail', (test, error) => {
    if (test.type === 'test') reported++;
    failed++;
    emit({ type: 'fail', ...of(test), error: describeError(error) });
  });
  runner.on('pending', (test) => {
    reported++;
    emit({ type: 'skip', ...of(test), reason: skipReason(test) });
  });
  runner.on('end', () => {
    const lost = runner.total - reported;
    if (lost > 0 && failed === 0) {
      emit({ type: 'fail', title: 'all tests are run', file: '', error: `${lost} tests were neither run nor skipped` });
    }
  });
}

class EventReporter extends Mocha.reporters.Base {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    report(runner);
  }
}

const HOOKS = ['_beforeAll', '_beforeEach', '_afterEach', '_afterAll'] as const;

/** What a slow machine needs more time for. */
function stretch(suite: Mocha.Suite, factor: number): void {
  const hooks = suite as unknown as Readonly<Record<(typeof HOOKS)[number], readonly Mocha.Hook[]>>;
  const all = [suite, ...suite.tests, ...HOOKS.flatMap((kind) => hooks[kind])];
  for (const it of all) it.timeout(it.timeout() * factor);
  for (const inner of suite.suites) stretch(inner, factor);
}

/** Takes out the tests of a file that are not chosen. */
function choose(suite: Mocha.Suite, only: Readonly<Record<string, string>>): void {
  suite.tests = suite.tests.filter((test) => {
    const pattern = only[test.file ?? ''];
    return pattern === undefined || new RegExp(pattern).test(test.fullTitle());
  });
  for (const inner of suite.suites) choose(inner, only);
}

const job = JSON.parse(process.argv[2] ?? '{}') as Job;
const mocha = new Mocha({ ui: 'bdd', timeout: job.timeoutMs, color: false, forbidOnly: true, reporter: EventReporter });
mocha.rootHooks(mochaHooks);
if (job.grep !== undefined) mocha.grep(new RegExp(job.grep));
for (const file of job.files) mocha.addFile(file);
await mocha.loadFilesAsync();
if (job.only !== undefined) choose(mocha.suite, job.only);
if (job.timeoutFactor !== undefined) stretch(mocha.suite, job.timeoutFactor);
mocha.run(() => {
  const watchdog = setTimeout(
    () => {
      const open = process.getActiveResourcesInfo().join(', ');
      emit({ type: 'fail', title: 'everything is closed', file: '', error: `still open after the tests: ${open}` });
      emit({ type: 'end' });
      process.exit(1);
    },
    LINGER_MS * (job.timeoutFactor ?? 1),
  );
  watchdog.unref();
  process.once('exit', () => emit({ type: 'end' }));
});
