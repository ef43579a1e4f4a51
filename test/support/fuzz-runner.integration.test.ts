import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stop } from 'esbuild';
import { after, describe, it } from 'mocha';
import { ensureFuzzerAddon } from '../../scripts/fuzz/fuzzer-addon.ts';
import { prepareNodeTarget } from '../../scripts/fuzz/node-target.ts';
import { FuzzerOutput, runTarget } from '../../scripts/fuzz/run-target.ts';
import { fuzzTargets, targetDirectory } from '../../scripts/fuzz/targets.ts';
import { needs } from './skip.ts';

const root = join(import.meta.dirname, '../..');
const { signal } = new AbortController();

describe('the fuzzer', () => {
  const target = {
    name: 'planted-fault',
    kind: 'node',
    file: 'test/support/samples/planted-fault.ts',
    cases: 'test/support/samples/cases',
  } as const;

  after(async () => {
    rmSync(targetDirectory(root, target), { recursive: true, force: true });
    await stop();
  });

  it('finds a planted fault, and keeps its input', async function () {
    this.timeout(400_000);
    needs(this, spawnSync('cargo', ['--version']).status === 0, 'cargo');
    await ensureFuzzerAddon(root);
    const record = await runTarget(await prepareNodeTarget(root, target), { root, seconds: 60, signal });
    const [finding] = record.findings;
    assert.ok(finding !== undefined, `nothing in ${record.executions} runs`);
    const input = readFileSync(join(root, finding.input));
    assert.equal(input.toString('latin1', 0, 7), 'magic\u00c3*');
    assert.match(finding.report, /planted/);
    assert.ok(record.executions > 0 && record.coverage > 0);
  });

  it('knows the targets of both languages', () => {
    const names = fuzzTargets(root).map(({ name, kind }) => `${kind} ${name}`);
    for (const name of [
      'node tar-ingestion',
      'node erofs-writer',
      'node image-documents',
      'rust opening',
      'rust config',
    ]) {
      assert.ok(names.includes(name), name);
    }
    assert.equal(new Set(names).size, names.length);
  });

  it('reads its figures, however the output is cut', () => {
    const text =
      '#2\tINITED cov: 33 ft: 34 corp: 1/1b exec/s: 0 rss: 154Mb\n' +
      '#9\tNEW    cov: 39 ft: 40 corp: 2/3b lim: 4 exec/s: 0\n' +
      'noise\n#16384\tpulse  cov: 86 ft: 117 corp: 9/16b lim: 149\nstat::number_of_executed_units: 20001\n';
    for (const size of [1, 7, text.length]) {
      const output = new FuzzerOutput();
      for (let at = 0; at < text.length; at += size) output.take(text.slice(at, at + size));
      assert.deepEqual(output.figures(), { executions: 20_001, coverage: 86, features: 117, corpus: 9 });
    }
  });
});
