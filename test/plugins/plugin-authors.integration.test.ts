import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDistribution } from '@a3s-box/core/host';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/plugin-authors.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\w+)(?: file=(\S+))?\n(.*?)^```$/gms)].map(([, language, file, text = '']) => {
  return { language, file, text };
});

/** First cells of the table below a heading, without their backticks. */
function keysOfTable(heading: string): readonly string[] {
  const section = page.split(/^## /m).find((it) => it.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| `([\w-]+)` /gm)].map(([, key = '']) => key).toSorted();
}

function keysOfSchema(file: string): readonly string[] {
  const schema = JSON.parse(readFileSync(join(root, 'core/schema', file), 'utf8')) as { properties: object };
  return Object.keys(schema.properties)
    .filter((key) => key !== '$schema' && key !== 'version')
    .toSorted();
}

/** The formatter breaks lines of JSON differently in a page and in a package.json. */
const withoutSpace = (text: string): string => text.replaceAll(/\s+/g, '');

describe("the plugin author's guide", () => {
  it('shows the sample plugin as it is', () => {
    const shown = blocks.filter(({ file }) => file !== undefined);
    assert.deepEqual(
      shown.map(({ file }) => file),
      ['package.json', 'plugin.js', 'nowhere-network.js'],
    );
    for (const { file = '', text } of shown) {
      const whole = readFileSync(join(root, 'test/fixtures/sample-plugin', file), 'utf8');
      assert.ok(withoutSpace(whole).includes(withoutSpace(text)), file);
    }
  });

  it('shows a distribution file that is accepted', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-guide-'));
    try {
      const file = join(directory, 'distribution.json');
      const text = blocks.find((it) => it.language === 'json' && it.file === undefined)?.text ?? '';
      writeFileSync(file, text, { mode: 0o644 });
      assert.equal((await loadDistribution(file)).plugins.length, 3);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('names every key of manifest and distribution file', () => {
    assert.deepEqual(keysOfTable('The manifest'), keysOfSchema('plugin-manifest.schema.json'));
    assert.deepEqual(keysOfTable('Distribution file'), keysOfSchema('distribution.schema.json'));
  });

  it('names every fault that can leave a plugin out', () => {
    const source = readFileSync(join(root, 'core/src/kernel/plugin-fault.ts'), 'utf8');
    const union = /type FaultKind =(.*?);/s.exec(source)?.[1] ?? '';
    const kinds = [...union.matchAll(/'([\w-]+)'/g)].map(([, kind = '']) => kind).filter((it) => it !== 'distribution');
    assert.deepEqual(keysOfTable('When something is wrong'), kinds.toSorted());
  });

  it('names limits that hold', () => {
    const host = readFileSync(join(root, 'core/src/kernel/plugin-host.ts'), 'utf8');
    assert.match(host, /ACTIVATION_LIMIT_MS = 60_000;/);
    assert.match(host, /DISPOSAL_LIMIT_MS = 5_000;/);
    assert.match(page, /limit of 60 seconds/);
    assert.match(page, /limit of 5 seconds/);
    assert.match(readFileSync(join(root, 'core/src/errors/grpc.ts'), 'utf8'), /MAX_TRAILER_BYTES = 6 \* 1024/);
  });

  it('points to contract kits that are there', () => {
    assert.ok(readdirSync(join(root, 'test/contract')).length > 0);
  });
});
