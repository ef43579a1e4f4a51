import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import plugin from '../dist/plugin.js';
import { collectingLogger, temporary } from './support/store.ts';

interface Manifest {
  a3sBox: { plugin: string; provides: { port: string; name: string }[]; requires: unknown[] };
}

describe('the plugin', () => {
  it('provides what its manifest says', () => {
    const path = join(import.meta.dirname, '../package.json');
    const { a3sBox } = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    const provided = Object.values(plugin.provides).map(({ port, name }) => ({ port: port.id, name }));
    assert.deepEqual(provided, a3sBox.provides);
    assert.deepEqual(Object.values(plugin.requires), a3sBox.requires);
  });

  it('opens a store below its state directory and closes it again', async () => {
    await using place = await temporary();
    const activation = await plugin.activate(
      { logger: collectingLogger([]), stateDirectory: place.path, settings: {}, signal: new AbortController().signal },
      {},
    );
    assert.ok(activation.services['imageStore']);
    await activation.dispose?.();
  });
});
