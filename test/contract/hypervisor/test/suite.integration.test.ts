import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAULTS, type Fault } from './fake-hypervisor.ts';

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

interface Report {
  readonly stats: { readonly passes: number; readonly failures: number; readonly pending: number };
  readonly failures: readonly { readonly fullTitle: string; readonly err: { readonly message: string } }[];
}

/** Runs the kit on the fake. @param title of the one case to run; all without it */
async function run(fault?: Fault, title?: string): Promise<Report> {
  const temporary = mkdtempSync(join(tmpdir(), 'k-'));
  const only = title === undefined ? [] : ['--fgrep', title];
  const environment = { ...process.env, TMPDIR: temporary, ...(fault === undefined ? {} : { FAKE_FAULT: fault }) };
  try {
    const { promise, resolve } = Promise.withResolvers<string>();
    execFile(
      process.execPath,
      [mocha, '--no-config', '--exit', '--reporter', 'json', ...only, join(import.meta.dirname, 'fake.fixture.ts')],
      { env: environment, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout) => resolve(stdout),
    );
    return JSON.parse(await promise) as Report;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

describe('hypervisor contract kit', function () {
  this.timeout(120_000);

  it('passes a provider that keeps the contract', async () => {
    const { stats, failures } = await run();
    assert.deepEqual(
      failures.map(({ fullTitle, err }) => `${fullTitle}: ${err.message}`),
      [],
    );
    assert.ok(stats.passes > 40, `${stats.passes} cases ran`);
    assert.equal(stats.pending, 0);
  });

  for (const [fault, title] of Object.entries(FAULTS)) {
    it(`fails a provider that ${fault}`, async () => {
      const { failures } = await run(fault as Fault, title);
      assert.ok(
        failures.some(({ fullTitle }) => fullTitle.includes(title)),
        `the case "${title}" passed`,
      );
    });
  }
});
