import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it } from 'mocha';

const mocha = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'bin/mocha.js');
const fixture = join(import.meta.dirname, 'fixtures/broken-store.ts');

/** Titles of the kit's tests that fail. */
async function failures(breakage: string, grep: string): Promise<string[]> {
  const child = spawn(process.execPath, [mocha, '--reporter', 'json', '--timeout', '20000', '--grep', grep, fixture], {
    env: { ...process.env, A3S_BOX_TEST_BREAKAGE: breakage },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child, 'close');
  const report = JSON.parse(output) as { stats: { tests: number }; failures: { title: string }[] };
  assert.ok(report.stats.tests > 0, 'the kit ran');
  return report.failures.map(({ title }) => title);
}

describe('the contract kit of the ImageStore port', function () {
  this.timeout(60_000);

  it('passes a sound store', async () => assert.deepEqual(await failures('none', 'list|inspect|rootDisk'), []));

  const caught: readonly (readonly [breakage: string, title: RegExp])[] = [
    ['list in the wrong order', /newest image first/],
    ['names not normalised', /shows its config, layers and names/],
    ['removal of what is in use', /whose disk is out/],
    ['writable disk', /read-only disk/],
    ['admission of what is not there', /lets no unknown image be used/],
    ['digest of a push not told', /tells by which digest/],
    ['index of a push without its images', /index of images/],
    ['cancellation ignored', /whose signal has fired/],
  ];
  for (const [breakage, title] of caught) {
    it(`catches: ${breakage}`, async () => {
      const failed = await failures(breakage, title.source);
      assert.ok(
        failed.some((name) => title.test(name)),
        failed.join(),
      );
    });
  }
});
