import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostItems } from '../../scripts/test/kvm-host-run.ts';
import { laneOf } from '../../scripts/test/lanes.ts';
import { shellWord } from './kvm-host.ts';
import { HOST_SUITES } from './suites.ts';

const root = join(import.meta.dirname, '../..');

describe('the suites of the KVM host', () => {
  for (const { file, grep, backends } of HOST_SUITES) {
    it(`${file} is a guest test, has what is chosen of it, and a backend`, () => {
      assert.equal(laneOf(file), 'vm');
      assert.ok(backends.length > 0);
      const text = readFileSync(join(root, file), 'utf8');
      for (const title of grep?.split('|') ?? []) assert.ok(text.includes(title), `no title has "${title}"`);
    });
  }

  it('come once for each backend, after the files that are for the host alone', () => {
    const items = hostItems(root, []);
    assert.ok(items.some(({ file, backend }) => file.endsWith('.kvm.test.ts') && backend === undefined));
    for (const { file, backends } of HOST_SUITES)
      assert.deepEqual(
        items.filter((item) => item.file === file).map(({ backend }) => backend),
        backends,
      );
    assert.deepEqual(hostItems(root, ['no/such/file']), []);
  });
});

describe('a word for the host’s shell', () => {
  it('is quoted when it has to be', () => {
    assert.equal(shellWord('--grep=a.b/c'), '--grep=a.b/c');
    assert.equal(shellWord("it's $HOME"), `'it'\\''s $HOME'`);
    assert.equal(shellWord(''), "''");
  });
});
