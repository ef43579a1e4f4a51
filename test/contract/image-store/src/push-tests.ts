import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'mocha';
import type { Image, ImageStore } from '@a3s-box/core';
import { CONFIG, CREATED, layerArchive, streamOf } from './fixtures.js';
import { memoryRegistry, type MemoryRegistry } from './memory-registry.js';

const operation = { signal: new AbortController().signal };
const plain = { ...operation, plainHttp: true };
const AMD64 = { os: 'linux', architecture: 'amd64' };
const LAYER = layerArchive([{ name: 'hello', content: 'hello\n' }]);
const UPPER = layerArchive([{ name: 'new', content: 'new\n' }]);
const code = (name: string) => ({ code: name });

/** The tests of `push`. @param storeOf the store of the running test */
export function pushTests(storeOf: () => ImageStore): void {
  let registry: MemoryRegistry;
  let store: ImageStore;
  beforeEach(async () => {
    registry = await memoryRegistry();
    store = storeOf();
  });
  afterEach(() => registry[Symbol.asyncDispose]());

  const made = async (name: string, architecture = 'amd64'): Promise<Image> => {
    const common = { config: CONFIG, createdBy: 'contract kit', created: CREATED };
    const platform = { os: 'linux', architecture };
    const { id } = await store.commit({ ...common, layer: streamOf(LAYER), platform }, operation);
    return store.commit({ ...common, base: id, layer: streamOf(UPPER), name }, operation);
  };

  it('sends an image so that a pull brings the same back, and tells by which digest', async () => {
    const name = `${registry.host}/team/app:1`;
    const image = await made(name);
    const [pushed, ...others] = await store.push(name, plain);
    assert.ok(pushed);
    assert.deepEqual([pushed.name, pushed.imageIds, others], [name, [image.id], []]);
    const byDigest = `${registry.host}/team/app@${pushed.digest}`;
    assert.deepEqual((await store.inspect(name, operation)).repoDigests, [byDigest]);
    await store.remove(image.id, operation);
    await assert.rejects(store.inspect(byDigest, operation), code('IMAGE_NOT_FOUND'));
    const pulled = await store.pull(byDigest, { ...plain, platform: image.platform });
    assert.deepEqual([pulled.id, pulled.diffIds, pulled.digest], [image.id, image.diffIds, pushed.digest]);
    assert.deepEqual(await store.push(name, { ...plain, images: [image.id] }), [pushed]);
  });

  it('makes an index of images for several platforms', async () => {
    const images = [await made('a:amd64'), await made('a:arm64', 'arm64')];
    const name = `${registry.host}/a:1`;
    const [pushed] = await store.push(name, { ...plain, images: images.map(({ id }) => id) });
    for (const { id, platform } of images) {
      await store.remove(id, operation);
      assert.equal((await store.pull(`${registry.host}/a@${pushed?.digest}`, { ...plain, platform })).id, id);
    }
  });

  it('sends all tags of a repository', async () => {
    const { id } = await made(`${registry.host}/tags:1`);
    for (const name of ['tags:2', 'tags/below:3']) await store.tag(id, `${registry.host}/${name}`, operation);
    const pushed = await store.push(`${registry.host}/tags`, { ...plain, allTags: true });
    assert.deepEqual(
      pushed.map(({ name }) => name),
      [`${registry.host}/tags:1`, `${registry.host}/tags:2`],
    );
    assert.equal((await store.pull(`${registry.host}/tags:2`, { ...plain, platform: AMD64 })).id, id);
  });

  it('leaves the store as it was when it is cancelled', async () => {
    const name = `${registry.host}/app`;
    const image = await made(name);
    const cancel = new AbortController();
    registry.onRequest = (method) => void (method === 'PATCH' && cancel.abort());
    await assert.rejects(store.push(name, { ...plain, signal: cancel.signal }), code('CANCELLED'));
    assert.deepEqual(await store.inspect(image.id, operation), image);
  });

  it('refuses what is not there, what is no name for an image, and what does not fit', async () => {
    const name = `${registry.host}/app`;
    const { id, digest } = await made(name);
    await assert.rejects(store.push(`${registry.host}/none`, plain), code('IMAGE_NOT_FOUND'));
    await assert.rejects(store.push(name, { ...plain, images: ['none'] }), code('IMAGE_NOT_FOUND'));
    await assert.rejects(store.push(`${name}@${digest}`, plain), code('INVALID_REFERENCE'));
    await assert.rejects(store.push('No:Good:Name', plain), code('INVALID_REFERENCE'));
    await assert.rejects(store.push(name, { ...plain, images: [id, name] }), code('INVALID_ARGUMENT'));
    await assert.rejects(store.push(name, { ...plain, allTags: true, images: [id] }), code('INVALID_ARGUMENT'));
    const other = { os: 'linux', architecture: 'riscv64' };
    await assert.rejects(store.push(name, { ...plain, platform: other }), code('IMAGE_NOT_FOUND'));
  });

  it('speaks without TLS to this machine only, and says that a registry cannot be reached', async () => {
    const { id } = await made('app');
    const far = { ...plain, images: [id] };
    await assert.rejects(store.push('registry.example/x', far), code('INVALID_ARGUMENT'));
    await assert.rejects(store.push('localhost:1/x', far), code('REGISTRY_FAILED'));
  });
}
