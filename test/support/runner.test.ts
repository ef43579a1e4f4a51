import assert from 'node:assert/strict';
import { parseSelection } from '../../scripts/test/arguments.ts';
import { LANES, laneOf, workItems, type Lane } from '../../scripts/test/lanes.ts';
import { Reporter } from '../../scripts/test/report.ts';
import { Results } from '../../scripts/test/results.ts';
import { CargoOutput } from '../../scripts/test/rust-run.ts';

function lane(name: string): Lane {
  const found = LANES.find((candidate) => candidate.name === name);
  assert.ok(found);
  return found;
}

describe('test selection', () => {
  it('takes every usual lane without arguments', () => {
    const selection = parseSelection([]);
    const lanes = ['lint', 'rust', 'unit', 'integration', 'fuzz', 'vm', 'kvm-host'];
    assert.deepEqual(selection, { lanes, filters: [], list: false, complete: true });
  });

  it('tells lanes from parts of file names', () => {
    const selection = parseSelection(['vm', 'core/test', '--grep', 'exits 7']);
    assert.deepEqual(selection, {
      lanes: ['vm'],
      filters: ['core/test'],
      grep: 'exits 7',
      list: false,
      complete: false,
    });
  });

  it('leaves lint and rust out when only a file is asked for', () => {
    const selection = parseSelection(['core/test']);
    assert.ok(typeof selection !== 'string');
    assert.deepEqual(selection.lanes, ['unit', 'integration', 'vm']);
  });

  it('refuses an unknown option by name', () => {
    assert.match(String(parseSelection(['--watch'])), /--watch/);
  });
});

describe('lanes', () => {
  it('go by the suffix of the file', () => {
    assert.equal(laneOf('core/test/a.test.ts'), 'unit');
    assert.equal(laneOf('core/test/a.integration.test.ts'), 'integration');
    assert.equal(laneOf('core/test/a.vm.test.ts'), 'vm');
    assert.equal(laneOf('core/test/a.kvm.test.ts'), 'kvm-host');
  });

  it('run unit tests by package and others by file', () => {
    const files = [
      'core/test/a.test.ts',
      'core/test/x/b.test.ts',
      'plugins/erofs/test/c.test.ts',
      'test/docs/d.test.ts',
    ];
    const labels = workItems(lane('unit'), files).map((item) => `${item.label}: ${item.files.length}`);
    assert.deepEqual(labels, ['core: 2', 'plugins/erofs: 1', 'test/docs: 1']);
    assert.equal(workItems(lane('vm'), files).length, 4);
  });

  it('divide a large package, and begin with what took longest', () => {
    const files = Array.from({ length: 8 }, (_, index) => `core/test/${index}.test.ts`);
    const items = workItems(lane('unit'), ['cli/test/a.test.ts', ...files], { 'core 2 of 2': 900, cli: 100 });
    assert.deepEqual(
      items.map((item) => `${item.label}: ${item.files.length}`),
      ['core 2 of 2: 4', 'cli: 1', 'core 1 of 2: 4'],
    );
    assert.deepEqual(items.flatMap((item) => item.files).sort(), ['cli/test/a.test.ts', ...files].sort());
  });
});

describe('cargo output', () => {
  it('counts each test of each binary', () => {
    const results = new Results();
    const output = new CargoOutput(results);
    const text = `     Running unittests src/main.rs (target/debug/deps/guest_init-1)

running 4 tests
test session::opens ... ok
test session::closes ... FAILED
test mount::needs_root ... ignored, needs root
test mount::later ... ignored

failures:

---- session::closes stdout ----
thread 'session::closes' panicked at src/session.rs:7:5:
left: 1, right: 2

failures:
    session::closes

test result: FAILED. 1 passed; 1 failed; 2 ignored`;
    for (const line of text.split('\n')) output.take(line);
    output.finish('status 101');
    assert.equal(results.closingLine(), '1 passed, 2 failed, 1 skipped');
    const failed = results.all.find((r) => r.title === 'session::closes');
    assert.match(failed?.detail ?? '', /^thread[^]*left: 1, right: 2\n$/);
  });

  it('is a failure when cargo fails without a failed test', () => {
    const results = new Results();
    const output = new CargoOutput(results);
    output.take('error[E0425]: cannot find value `x` in this scope');
    output.finish('status 101');
    assert.equal(results.closingLine(), '0 passed, 1 failed, 0 skipped');
    assert.match(results.all[0]?.detail ?? '', /E0425/);
  });
});

describe('the report', () => {
  it('ends in the closing line, after the failures in full and the reasons of skips', () => {
    const lines: string[] = [];
    const results = new Results();
    const base = { lane: 'vm', file: 'a.vm.test.ts', durationMs: 2500 };
    results.add({ ...base, title: 'boots', outcome: 'passed' });
    results.add({ ...base, title: 'stops', outcome: 'failed', detail: 'first\nsecond' });
    results.addSkip({ ...base, title: 'clones' }, 'no KVM');
    new Reporter((line) => lines.push(line)).summary(results, [{ lane: 'vm', durationMs: 9000, budgetMs: 60_000 }]);
    const text = lines.join('\n');
    assert.match(text, /\n1 passed, 1 failed, 1 skipped$/);
    assert.match(text, /\[vm\] stops\n {3}a\.vm\.test\.ts\n {3}\| first\n {3}\| second/);
    assert.match(text, /1 {2}no KVM/);
    assert.match(text, /2\.5 s {2}vm {2}boots/);
  });

  it('is a failure when nothing passed', () => {
    assert.equal(new Results().exitCode(), 1);
  });
});
