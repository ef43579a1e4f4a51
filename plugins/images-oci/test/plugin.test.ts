import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'mocha';
import type { ImageStore } from '@a3s-box/core';
import plugin from '../dist/plugin.js';
import { archive, type Member } from '../../erofs/test/support/tar-builder.ts';
import { collectingLogger, operation, temporary } from './support/store.ts';

interface Manifest {
  a3sBox: { plugin: string; provides: { port: string; name: string }[]; requires: unknown[]; settings: string };
}

const root = join(import.meta.dirname, '..');
const { a3sBox } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

describe('the plugin', () => {
  it('has a schema for its settings that takes no others', () => {
    const schema = JSON.parse(readFileSync(join(root, a3sBox.settings), 'utf8')) as Record<string, object>;
    assert.equal(schema['additionalProperties'], false);
    assert.deepEqual(Object.keys(schema['properties'] ?? {}), ['maxLayerBytes', 'maxLayerEntries']);
  });

  it('applies its settings', async () => {
    await using place = await temporary();
    const activation = await plugin.activate(
      {
        logger: collectingLogger([]),
        stateDirectory: place.path,
        settings: { maxLayerBytes: 1_048_576, maxLayerEntries: 2 },
        signal: operation.signal,
      },
      {},
    );
    const store = activation.services['imageStore'] as ImageStore;
    const imported = (members: Member[]) => store.import(Readable.from([archive(members)]), operation);
    await assert.rejects(imported([{ name: 'a' }, { name: 'b' }, { name: 'c' }]), { code: 'LIMIT_EXCEEDED' });
    await assert.rejects(imported([{ name: 'a', data: Buffer.alloc(1_100_000) }]), { code: 'LIMIT_EXCEEDED' });
    await imported([{ name: 'a' }, { name: 'b' }]);
    await activation.dispose?.();
  });

  it('provides what its manifest says', () => {
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
