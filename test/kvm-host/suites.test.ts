import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostItems } from '../../scripts/test/kvm-host-run.ts';
import { discoverTests, laneOf } from '../../scripts/test/lanes.ts';
import { shellWord } from './kvm-host.ts';
import { HOST_GROUPS, type HostLane } from './suites.ts';

const root = join(import.meta.dirname, '../..');
const LANES = Object.keys(HOST_GROUPS) as HostLane[];

describe('the suites of the KVM host', () => {
  for (const lane of LANES) {
    it(`of ${lane} are guest tests, have what is chosen of them, and every file that is for the host alone`, () => {
      const suites = HOST_GROUPS[lane].flatMap((group) => group.suites);
      for (const { file, grep } of suites) {
        assert.match(laneOf(file), /^(vm|kvm-host)$/);
        const text = readFileSync(join(root, file), 'utf8');
        const titles = grep?.startsWith('^') === true ? [] : (grep?.split('|') ?? []);
        for (const title of titles) assert.ok(text.includes(title), `no title of ${file} has "${title}"`);
      }
      const own = discoverTests(root, 'kvm-host');
      assert.ok(own.length > 0);
      assert.deepEqual(
        own.filter((file) => !suites.some((suite) => suite.file === file)),
        [],
      );
    });

    it(`of ${lane} come in groups of their own names, of which only what is asked for`, () => {
      const items = hostItems(lane, []);
      assert.equal(new Set(items.map(({ label }) => label)).size, HOST_GROUPS[lane].length);
      assert.deepEqual(hostItems(lane, ['no/such/file']), []);
      const some = hostItems(lane, ['run.vm']);
      assert.ok(some.length > 0);
      for (const { suites } of some) for (const { file } of suites) assert.equal(file, 'test/e2e/run.vm.test.ts');
    });
  }
});

describe('a word for the host’s shell', () => {
  it('is quoted when it has to be', () => {
    assert.equal(shellWord('--grep=a.b/c'), '--grep=a.b/c');
    assert.equal(shellWord("it's $HOME"), `'it'\\''s $HOME'`);
    assert.equal(shellWord(''), "''");
  });
});
