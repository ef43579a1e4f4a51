import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import plugin from '../dist/plugin.js';

const root = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  a3sBox: { provides: unknown; requires?: unknown; settings: string };
};

describe('plugin @a3s-box/network-tsi', () => {
  it('provides what its manifest says', () => {
    const provided = Object.values(plugin.provides).map(({ port, name }) => ({ port: port.id, name }));
    assert.deepEqual(provided, manifest.a3sBox.provides);
    assert.deepEqual(Object.keys(plugin.requires), manifest.a3sBox.requires ?? []);
  });

  it('has a schema for its settings that takes no others', () => {
    const schema = JSON.parse(readFileSync(join(root, manifest.a3sBox.settings), 'utf8')) as Record<string, unknown>;
    assert.equal(schema['additionalProperties'], false);
    assert.deepEqual(Object.keys(schema['properties'] as object), ['nameServers']);
  });
});
