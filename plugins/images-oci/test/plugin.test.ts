import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
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
    assert.deepEqual(Object.keys(schema['properties'] ?? {}), [
      'maxLayerBytes',
      'maxImageBytes',
      'maxStoreBytes',
      'policy',
      'maxLayerEntries',
    ]);
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

  it("holds the distribution's image policy beside the user's, which cannot loosen it", async () => {
    await using place = await temporary();
    const policy = {
      version: 1,
      default: { type: 'accept' },
      rules: { 'docker.io/library/shut': { type: 'reject', reason: 'not here' } },
    };
    const activation = await plugin.activate(
      { logger: collectingLogger([]), stateDirectory: place.path, settings: { policy }, signal: operation.signal },
      {},
    );
    const store = activation.services['imageStore'] as ImageStore;
    const image = await store.import(Readable.from([archive([{ name: 'a' }])]), { ...operation, name: 'open' });
    const policyFile = join(place.path, 'image-policy.yaml');
    const admit = (reference: string): Promise<void> => store.admit(reference, { ...operation, policyFile });
    await admit('open');
    await admit(image.id);
    await store.tag('open', 'shut', operation);
    const rejected = { code: 'IMAGE_REJECTED', message: /by the distribution's image policy: "not here"/ };
    await assert.rejects(admit('shut'), rejected);
    // By its id it may be used under the name that is let through.
    await admit(image.id);
    writeFileSync(policyFile, 'version: 1\ndefault: { type: accept }\n');
    await assert.rejects(admit('shut'), rejected);
    writeFileSync(policyFile, 'version: 1\ndefault: { type: reject }\n');
    await assert.rejects(admit('open'), { code: 'IMAGE_REJECTED', message: /image-policy\.yaml/ });
    await store.remove('open', operation);
    await store.remove('shut', operation);
    const { id } = await store.import(Readable.from([archive([{ name: 'b' }])]), operation);
    await assert.rejects(admit(id), { code: 'IMAGE_REJECTED' }, 'without a name the default counts');
    await activation.dispose?.();
  });

  it('lets nothing be used under a policy that is none', async () => {
    await using place = await temporary();
    const settings = { policy: { version: 1, default: { type: 'perhaps' } } };
    const activation = await plugin.activate(
      { logger: collectingLogger([]), stateDirectory: place.path, settings, signal: operation.signal },
      {},
    );
    const store = activation.services['imageStore'] as ImageStore;
    await store.import(Readable.from([archive([{ name: 'a' }])]), { ...operation, name: 'a' });
    await assert.rejects(store.admit('a', operation), { code: 'IMAGE_POLICY_INVALID' });
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
