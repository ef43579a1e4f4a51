import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostItems } from '../../scripts/test/kvm-host-run.ts';
import { laneOf } from '../../scripts/test/lanes.ts';
import { shellWord } from './kvm-host.ts';
import { HOST_SUITES, type HostLane } from './suites.ts';

const root = join(import.meta.dirname, '../..');
const LANE_SUITES = (Object.keys(HOST_SUITES) as HostLane[]).flatMap((lane) =>
  HOST_SUITES[lane].map((suite) => [lane, suite] as const),
);

describe('the suites of the KVM host', () => {
  for (const [lane, { file, grep, backends }] of LANE_SUITES) {
    it(`${file} in ${lane} is a guest test, has what is chosen of it, and a backend`, () => {
      assert.equal(laneOf(file), 'vm');
      assert.ok(backends.length > 0);
      const text = readFileSync(join(root, file), 'utf8');
      for (const title of grep?.split('|') ?? []) assert.ok(text.includes(title), `no title has "${title}"`);
    });
  }

  it('come once for each backend, after the files that are for the host alone', () => {
    for (const [lane, { file, backends }] of LANE_SUITES) {
      const items = hostItems(root, lane, []);
      assert.ok(items.some((item) => item.file.endsWith('.kvm.test.ts') && item.backend === undefined));
      const found = items.filter((item) => item.file === file).map(({ backend }) => backend);
      assert.ok(backends.every((backend) => found.filter((it) => it === backend).length === 1));
      assert.deepEqual(hostItems(root, lane, ['no/such/file']), []);
    }
  });
});

describe('a word for the host’s shell', () => {
  it('is quoted when it has to be', () => {
    assert.equal(shellWord('--grep=a.b/c'), '--grep=a.b/c');
    assert.equal(shellWord("it's $HOME"), `'it'\\''s $HOME'`);
    assert.equal(shellWord(''), "''");
  });
});
