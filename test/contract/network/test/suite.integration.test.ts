import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '../../../support/skip.ts';
import { FAULTS, type Fault } from './faulty-network.ts';

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

interface Report {
  readonly stats: { readonly passes: number; readonly failures: number };
  readonly failures: readonly { readonly fullTitle: string }[];
}

/** Runs one case of the kit on a provider. */
async function run(title: string, fault?: Fault): Promise<Report> {
  const temporary = mkdtempSync(join(tmpdir(), 'k-'));
  const environment = { ...process.env, TMPDIR: temporary, ...(fault === undefined ? {} : { FAKE_FAULT: fault }) };
  try {
    const { promise, resolve } = Promise.withResolvers<string>();
    execFile(
      process.execPath,
      [
        mocha,
        '--no-config',
        '--exit',
        '--reporter',
        'json',
        '--fgrep',
        title,
        join(import.meta.dirname, 'faulty.fixture.ts'),
      ],
      { env: environment, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout) => resolve(stdout),
    );
    return JSON.parse(await promise) as Report;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

describe('network contract kit', function () {
  this.timeout(60_000);
  before(function () {
    needs(this, process.getuid?.() === 0, 'root, for network namespaces,');
  });

  for (const title of new Set(Object.values(FAULTS))) {
    it(`passes a provider without a fault: ${title}`, async () => {
      const { stats } = await run(title);
      assert.deepEqual({ passes: stats.passes, failures: stats.failures }, { passes: 1, failures: 0 });
    });
  }

  for (const [fault, title] of Object.entries(FAULTS)) {
    it(`fails a provider that ${fault}`, async () => {
      const { failures } = await run(title, fault as Fault);
      assert.ok(
        failures.some(({ fullTitle }) => fullTitle.includes(title)),
        `the case "${title}" passed`,
      );
    });
  }
});
