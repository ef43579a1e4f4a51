import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { Image, ImageChange, ImageStore } from '@a3s-box/core';
import { CONFIG, CREATED, layerArchive, stallingStream, streamOf } from './fixtures.js';
import { filesTests } from './files-tests.js';
import { pushTests } from './push-tests.js';

/** What makes an empty store for each test. */
export interface ImageStoreSuiteOptions {
  /** Name of the implementation, for the suite's title. */
  readonly name: string;
  create(): Promise<{ readonly store: ImageStore; dispose(): Promise<void> }>;
}

const operation = { signal: new AbortController().signal };
const LAYER = layerArchive([
  { name: 'hello', content: 'hello\n' },
  { name: 'gone', content: 'x' },
]);
const UPPER = layerArchive([{ name: '.wh.gone' }, { name: 'new', content: 'new\n' }]);

function change(name: string | undefined, layer: Uint8Array | undefined, base?: string): ImageChange {
  return {
    config: CONFIG,
    createdBy: 'contract kit',
    created: CREATED,
    ...(name === undefined ? {} : { name }),
    ...(layer === undefined ? {} : { layer: streamOf(layer) }),
    ...(base === undefined ? {} : { base }),
  };
}

const digest = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const code = (name: string) => ({ code: name });

/**
 * Checks the contract of the ImageStore port. Registries that misbehave are beyond it: what goes to one and comes from it
 * is checked with one in memory.
 */
export function imageStoreSuite({ name, create }: ImageStoreSuiteOptions): void {
  describe(`ImageStore contract: ${name}`, () => {
    let store: ImageStore;
    let dispose: () => Promise<void>;

    beforeEach(async () => {
      const made = await create();
      store = made.store;
      dispose = () => made.dispose();
    });
    afterEach(() => dispose());

    const base = (tag = 'base'): Promise<Image> => store.commit(change(tag, LAYER), operation);
    const listed = async (): Promise<string[]> => (await store.list(operation)).map(({ id }) => id);

    describe('commit', () => {
      it('makes an image that shows its config, layers and names', async () => {
        const image = await base('team/app:1');
        assert.match(image.id, /^sha256:[0-9a-f]{64}$/);
        assert.match(image.digest, /^sha256:[0-9a-f]{64}$/);
        assert.deepEqual(image.names, ['docker.io/team/app:1']);
        assert.deepEqual(image.config, CONFIG);
        assert.deepEqual(image.diffIds, [digest(LAYER)]);
        assert.equal(image.created, CREATED);
        assert.ok(image.sizeBytes > 0);
        assert.deepEqual(await store.inspect(image.id, operation), image);
      });

      it('adds a layer on top of an image', async () => {
        const below = await base();
        const image = await store.commit(change('upper', UPPER, below.id), operation);
        assert.deepEqual(image.diffIds, [digest(LAYER), digest(UPPER)]);
        assert.deepEqual(image.platform, below.platform);
      });

      it('changes the config alone', async () => {
        const below = await base();
        const image = await store.commit(
          { ...change(undefined, undefined, below.id), config: { ...CONFIG, cmd: ['x'] } },
          operation,
        );
        assert.deepEqual(image.diffIds, below.diffIds);
        assert.notEqual(image.id, below.id);
        assert.deepEqual(image.config.cmd, ['x']);
      });

      it('tells the steps that made no layer in the history', async () => {
        const earlier = [
          { created: CREATED, createdBy: 'ENV A=1' },
          { createdBy: 'USER x', comment: 'why' },
        ];
        const { history } = await store.commit({ ...change(undefined, LAYER), earlier }, operation);
        assert.deepEqual(
          history.map(({ createdBy, comment, sizeBytes }) => [createdBy, comment, sizeBytes > 0]),
          [
            ['ENV A=1', undefined, false],
            ['USER x', 'why', false],
            ['contract kit', undefined, true],
          ],
        );
      });

      it('gives the same image for the same change', async () => {
        assert.equal((await base()).id, (await base()).id);
        assert.equal((await listed()).length, 1);
      });

      it('refuses a base that is not there, and a layer that is no archive, and leaves nothing', async () => {
        await assert.rejects(store.commit(change('x', LAYER, digest(LAYER)), operation), code('IMAGE_NOT_FOUND'));
        await assert.rejects(store.commit(change('x', Buffer.alloc(2000, 1)), operation), code('IMAGE_CORRUPT'));
        assert.deepEqual(await listed(), []);
      });

      it('leaves nothing when it is cancelled half-way', async () => {
        const cancel = new AbortController();
        const layer = stallingStream(LAYER, () => cancel.abort());
        await assert.rejects(
          store.commit({ ...change('x', undefined), layer }, { signal: cancel.signal }),
          code('CANCELLED'),
        );
        assert.deepEqual(await listed(), []);
      });

      it('makes the same image for many callers at once', async () => {
        const images = await Promise.all(Array.from({ length: 4 }, () => base()));
        assert.equal(new Set(images.map(({ id }) => id)).size, 1);
        assert.equal((await listed()).length, 1);
      });
    });

    describe('inspect', () => {
      it('finds an image by name, full name, digest, id and start of the id', async () => {
        const image = await base('app');
        const hex = image.id.slice('sha256:'.length);
        const references = [
          'app',
          'app:latest',
          'docker.io/library/app',
          image.id,
          hex,
          hex.slice(0, 4),
          image.id.slice(0, 20),
          image.digest,
          `app@${image.digest}`,
        ];
        for (const reference of references) {
          assert.equal((await store.inspect(reference, operation)).id, image.id, reference);
        }
      });

      it('tells an unknown image from an invalid reference', async () => {
        await base('app');
        for (const reference of ['app:2', 'other/app', digest(LAYER), `app@${digest(LAYER)}`]) {
          await assert.rejects(store.inspect(reference, operation), code('IMAGE_NOT_FOUND'), reference);
        }
        for (const reference of ['', 'UPPER', 'a:b:c', 'a@sha256:1', 'a//b', '-a', 'a:']) {
          await assert.rejects(store.inspect(reference, operation), code('INVALID_REFERENCE'), reference);
        }
      });
    });

    it('list gives the newest image first', async () => {
      const old = await store.commit({ ...change('old', LAYER), created: '2020-01-01T00:00:00Z' }, operation);
      const young = await store.commit({ ...change('young', LAYER), created: '2021-01-01T00:00:00Z' }, operation);
      assert.deepEqual(await listed(), [young.id, old.id]);
    });

    describe('tag', () => {
      it('adds a name, and moves one that is in use', async () => {
        const first = await base('first');
        const second = await store.commit(change('second', UPPER), operation);
        await store.tag('first', 'Registry.example:5000/x/y:z', operation);
        await store.tag(second.id, 'first', operation);
        assert.deepEqual((await store.inspect(first.id, operation)).names, ['Registry.example:5000/x/y:z']);
        assert.equal((await store.inspect('first', operation)).id, second.id);
      });

      it('refuses an unknown image and a name that is none', async () => {
        await base('app');
        await assert.rejects(store.tag('none', 'x', operation), code('IMAGE_NOT_FOUND'));
        for (const name of ['Bad', `app@${digest(LAYER)}`, '']) {
          await assert.rejects(store.tag('app', name, operation), code('INVALID_REFERENCE'), name);
        }
      });
    });

    describe('remove', () => {
      it('takes a name away, and the image with the last', async () => {
        const image = await base('one');
        await store.tag('one', 'two', operation);
        assert.deepEqual(await store.remove('one', operation), {
          untagged: ['docker.io/library/one:latest'],
          deleted: [],
        });
        const removed = await store.remove('two', operation);
        assert.deepEqual(removed.untagged, ['docker.io/library/two:latest']);
        assert.deepEqual(new Set(removed.deleted), new Set([image.id, ...image.diffIds]));
        await assert.rejects(store.inspect(image.id, operation), code('IMAGE_NOT_FOUND'));
      });

      it('by id takes all names away', async () => {
        const image = await base('one');
        await store.tag('one', 'two', operation);
        assert.equal((await store.remove(image.id, operation)).untagged.length, 2);
        assert.deepEqual(await listed(), []);
      });

      it('keeps layers that another image has', async () => {
        const below = await base('below');
        await store.commit(change('above', UPPER, below.id), operation);
        assert.deepEqual((await store.remove('below', operation)).deleted, [below.id]);
        const disk = await store.rootDisk((await store.inspect('above', operation)).id, operation);
        await disk.release();
      });

      it('refuses an image whose disk is out, unless forced; the disk stays whole', async () => {
        const image = await base('app');
        const disk = await store.rootDisk(image.id, operation);
        await assert.rejects(store.remove('app', operation), code('IMAGE_IN_USE'));
        await store.remove('app', { ...operation, force: true });
        assert.ok((await stat(disk.disk.path)).size > 0);
        await disk.release();
        await assert.rejects(stat(disk.disk.path), { code: 'ENOENT' });
      });

      it('refuses an unknown image', () => assert.rejects(store.remove('none', operation), code('IMAGE_NOT_FOUND')));
    });

    describe('admit', () => {
      it('lets everything be used without a policy, by name, digest and id', async () => {
        const image = await base('app:1');
        for (const reference of ['app:1', image.digest, image.id]) await store.admit(reference, operation);
      });

      it('lets no unknown image be used', () =>
        assert.rejects(store.admit('none', operation), code('IMAGE_NOT_FOUND')));
    });

    describe('sign', () => {
      it('refuses a key that is none', () =>
        assert.rejects(
          store.sign('app:1', { ...operation, signer: { kind: 'key', key: 'x' } }),
          code('SIGNING_KEY_INVALID'),
        ));
    });

    describe('rootDisk', () => {
      it('gives a read-only disk of whole sectors, for one layer and for several', async () => {
        const one = await base();
        const two = await store.commit(change(undefined, UPPER, one.id), operation);
        for (const image of [one, two]) {
          await using cleanup = new AsyncDisposableStack();
          const root = await store.rootDisk(image.id, operation);
          cleanup.defer(() => root.release());
          assert.equal(root.imageId, image.id);
          assert.equal(root.disk.readOnly, true);
          const files = root.disk.format === 'raw' ? [root.disk.path] : (root.disk.extents ?? []);
          assert.ok(files.length > 0);
          for (const file of files) assert.equal((await stat(file)).size % 512, 0);
        }
      });

      it('gives the same disk to many, and takes each back by itself', async () => {
        const { id } = await store.commit(change('x', UPPER, (await base()).id), operation);
        const disks = await Promise.all(Array.from({ length: 3 }, () => store.rootDisk(id, operation)));
        assert.equal(new Set(disks.map(({ disk }) => disk.path)).size, 1);
        await disks[0]?.release();
        await disks[0]?.release();
        await disks[1]?.release();
        await assert.rejects(store.remove('x', operation), code('IMAGE_IN_USE'));
        await disks[2]?.release();
        await store.remove('x', operation);
      });

      it('refuses an unknown image', () =>
        assert.rejects(store.rootDisk(digest(LAYER), operation), code('IMAGE_NOT_FOUND')));
    });

    describe('files', () =>
      filesTests(
        () => store,
        (layer, below) => change(undefined, layer, below),
      ));

    describe('save and load', () => {
      async function saved(...references: string[]): Promise<Buffer> {
        const parts: Uint8Array[] = [];
        for await (const part of store.save(references, operation)) parts.push(Buffer.from(part));
        return Buffer.concat(parts);
      }
      const load = (bytes: Uint8Array) => store.load({ kind: 'archive', stream: streamOf(bytes, 10_000) }, operation);

      it('carry images, names and layers over unchanged', async () => {
        const below = await base('below');
        const above = await store.commit(change('above', UPPER, below.id), operation);
        const bytes = await saved('below', 'above');
        await store.remove('below', operation);
        await store.remove('above', operation);
        assert.deepEqual(await listed(), []);
        const loaded = await load(bytes);
        assert.deepEqual(
          loaded.map(({ id, names, diffIds }) => [id, names, diffIds]),
          [
            [below.id, below.names, below.diffIds],
            [above.id, above.names, above.diffIds],
          ],
        );
      });

      it('refuse what is no archive, is cut off or was changed, and leave nothing', async () => {
        const image = await base('app');
        const bytes = await saved('app');
        await store.remove(image.id, operation);
        await assert.rejects(load(Buffer.from('no archive')), code('IMAGE_CORRUPT'));
        for (const part of [0.2, 0.5, 0.8]) {
          await assert.rejects(load(bytes.subarray(0, bytes.length * part)), code('IMAGE_CORRUPT'));
        }
        const at = bytes.indexOf('hello\n');
        const changed = Buffer.from(bytes);
        changed[at] = 0x48;
        await assert.rejects(load(changed), code('IMAGE_CORRUPT'));
        assert.deepEqual(await listed(), []);
      });

      it('save refuses an unknown image', () => assert.rejects(saved('none'), code('IMAGE_NOT_FOUND')));
    });

    it('import makes an image of one layer', async () => {
      const image = await store.import(streamOf(LAYER), { ...operation, name: 'imported', config: { cmd: ['sh'] } });
      assert.deepEqual(image.diffIds, [digest(LAYER)]);
      assert.deepEqual(image.config.cmd, ['sh']);
      assert.deepEqual(image.names, ['docker.io/library/imported:latest']);
      await assert.rejects(store.import(streamOf(LAYER.subarray(0, 512)), operation), code('IMAGE_CORRUPT'));
    });

    describe('pull', () => {
      it('refuses references that are none', () =>
        assert.rejects(store.pull('No:Good:Name', operation), code('INVALID_REFERENCE')));

      it('speaks without TLS to this machine only', () =>
        assert.rejects(store.pull('registry.example/x', { ...operation, plainHttp: true }), code('INVALID_ARGUMENT')));

      it('says that a registry cannot be reached', () =>
        assert.rejects(store.pull('localhost:1/x', { ...operation, plainHttp: true }), code('REGISTRY_FAILED')));
    });

    describe('push', () => pushTests(() => store));

    it('refuses every call whose signal has fired', async () => {
      const signal = AbortSignal.abort();
      await assert.rejects(store.list({ signal }), code('CANCELLED'));
      await assert.rejects(store.inspect('x', { signal }), code('CANCELLED'));
      await assert.rejects(store.commit(change('x', LAYER), { signal }), code('CANCELLED'));
      await assert.rejects(store.pull('x', { signal }), code('CANCELLED'));
      await assert.rejects(store.push('x', { signal }), code('CANCELLED'));
    });
  });
}
