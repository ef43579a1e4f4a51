import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { LANES } from '../../scripts/test/lanes.ts';
import { runMocha } from '../../scripts/test/mocha-run.ts';
import { Results, type TestResult } from '../../scripts/test/results.ts';

const root = join(import.meta.dirname, '../..');

async function runSample(name: string, signal = new AbortController().signal): Promise<Results> {
  const lane = LANES.find((candidate) => candidate.name === 'integration');
  assert.ok(lane);
  const results = new Results();
  const file = `test/support/samples/${name}.sample.ts`;
  await runMocha({ root, lane, item: { label: file, files: [file] }, results, signal });
  return results;
}

function only(results: Results, outcome: TestResult['outcome']): TestResult {
  const matching = results.all.filter((result) => result.outcome === outcome);
  assert.equal(matching.length, 1, JSON.stringify(results.all, null, 2));
  return matching[0] as TestResult;
}

/** Whether a process is gone, or waits to be reaped, within a second. */
async function hasEnded(pid: number): Promise<boolean> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (!existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true;
    await setTimeout(10);
  }
  return false;
}

describe('the test runner', () => {
  it('counts a passing test', async () => {
    const results = await runSample('passing');
    assert.equal(results.closingLine(), '1 passed, 0 failed, 0 skipped');
    assert.equal(results.exitCode(), 0);
    assert.equal(only(results, 'passed').title, 'sample > passes');
  });

  it('reports a failure with expected and actual value and goes on', async () => {
    const results = await runSample('failing');
    assert.equal(results.closingLine(), '1 passed, 1 failed, 0 skipped');
    assert.equal(results.exitCode(), 1);
    assert.match(only(results, 'failed').detail ?? '', /apple[^]*pear/);
  });

  it('counts a skip by its reason and fails one without', async () => {
    const results = await runSample('skipping');
    assert.equal(results.closingLine(), '0 passed, 1 failed, 2 skipped');
    assert.equal(only(results, 'failed').title, 'sample > has none');
    const reasons = results.all.filter((r) => r.outcome === 'skipped').map((r) => r.detail);
    assert.deepEqual(reasons.sort(), ['no such device', 'no such machine']);
  });

  it('fails a file that leaves a process, a socket and a directory, and removes them', async () => {
    const results = await runSample('leaking');
    const { title, detail = '' } = only(results, 'failed');
    assert.equal(title, 'nothing is left behind');
    assert.match(detail, /process: \d+ sleep 300/);
    assert.match(detail, /socket: .*forgotten\.sock/);
    assert.match(detail, /file: .*forgotten$/m);
    const pid = Number(/process: (\d+)/.exec(detail)?.[1]);
    assert.equal(await hasEnded(pid), true);
  });

  it('fails a file that leaves something open which keeps its process alive', async () => {
    const { detail } = only(await runSample('open-handle'), 'failed');
    assert.match(detail ?? '', /Timeout/);
  });

  it('fails a file whose process dies, with what it printed', async () => {
    const { detail } = only(await runSample('crashing'), 'failed');
    assert.match(detail ?? '', /SIGKILL[^]*about to end/);
  });

  it('fails a file that cannot be loaded', async () => {
    const { detail } = only(await runSample('broken'), 'failed');
    assert.match(detail ?? '', /this file cannot be loaded/);
  });

  it('ends a file when the time of its lane is up', async () => {
    const signal = AbortSignal.abort();
    const { detail } = only(await runSample('passing', signal), 'failed');
    assert.match(detail ?? '', /time \(\d+ min\) is up/);
  });
});
