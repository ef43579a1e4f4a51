import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StepFailed, StepRunner, type Step } from '../../scripts/setup/step-runner.ts';

describe('a set-up step', () => {
  let root: string;
  let lines: string[];

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 's'));
    lines = [];
    writeFileSync(join(root, 'input'), '1');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function runner(heartbeatMs?: number): StepRunner {
    const options = { root, started: Date.now(), print: (line: string) => lines.push(line) };
    return new StepRunner(heartbeatMs === undefined ? options : { ...options, heartbeatMs });
  }

  function step(script: string, more: Partial<Step> = {}): Step {
    const commands = [{ argv: ['sh', '-c', script] }];
    return { name: 'sample', inputs: ['input'], outputs: ['made'], commands, advice: 'Try again.', ...more };
  }

  it('runs once, and again when an input changes or the result is gone', async () => {
    const append = step('echo x >>made');
    assert.equal(await runner().run(append), true);
    assert.equal(await runner().run(append), false);
    writeFileSync(join(root, 'input'), '2');
    assert.equal(await runner().run(append), true);
    assert.equal(readFileSync(join(root, 'made'), 'utf8'), 'x\nx\n');
    rmSync(join(root, 'made'));
    assert.equal(await runner().run(append), true);
  });

  it('that fails prints the end of its log and what to do, and runs again next time', async () => {
    await assert.rejects(runner().run(step('echo wrong thing >&2; exit 3')), StepFailed);
    const text = lines.join('\n');
    assert.match(text, /sample: failed: .* ended with status 3/);
    assert.match(text, /\| wrong thing/);
    assert.match(text, /Try again\.$/);
    assert.equal(await runner().run(step('echo x >made')), true);
  });

  it('that is optional and fails is told, stops nothing, and runs again next time', async () => {
    const optional = (script: string): Step => step(script, { optional: true });
    const first = runner();
    assert.equal(await first.run(optional('echo no mirror >&2; exit 1')), true);
    assert.deepEqual([...first.leftOut], ['sample']);
    assert.match(lines.join('\n'), /sample: failed: .*\| no mirror.*Try again\.$/s);
    const second = runner();
    assert.equal(await second.run(optional('echo x >made')), true);
    assert.deepEqual([second.leftOut.size, await second.run(optional('echo x >made'))], [0, false]);
  });

  it('that makes the wrong thing fails', async () => {
    const wrong = step('echo x >made', { verify: () => 'it is upside down' });
    await assert.rejects(runner().run(wrong), /upside down/);
    assert.equal(await runner().run(step('echo x >made')), true);
  });

  it('that a program cannot be found for fails by its name', async () => {
    await assert.rejects(runner().run(step('', { commands: [{ argv: ['no-such-program'] }] })), /no-such-program/);
  });

  it('that is done already runs nothing', async () => {
    const done = step('echo x >made', { isDone: () => true });
    await runner().run(done);
    assert.throws(() => readFileSync(join(root, 'made')), { code: 'ENOENT' });
  });

  it('that fails ends its chain and no other', async () => {
    const named = (name: string, script: string): Step => step(script, { name, outputs: [] });
    const first = [named('a', 'exit 1'), named('b', 'echo x >b')];
    const second = [named('c', 'sleep 0.1; echo x >c'), named('d', 'echo x >d')];
    await assert.rejects(runner().runChains(first, second), /a: .* ended with status 1/);
    assert.throws(() => readFileSync(join(root, 'b')), { code: 'ENOENT' });
    assert.equal(readFileSync(join(root, 'd'), 'utf8'), 'x\n');
  });

  it('tells that it is still at work', async () => {
    await runner(20).run(step('echo compiling; sleep 0.2'));
    assert.ok(
      lines.some((line) => /sample: at work; compiling/.test(line)),
      lines.join('\n'),
    );
  });
});
