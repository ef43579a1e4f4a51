import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'mocha';
import type { Image, Progress, PushOptions } from '@a3s-box/core';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { cuttingProxy } from './support/cutting-proxy.ts';
import { dockerRegistry, USER, type DockerRegistry, type DockerRegistryOptions } from './support/docker-registry.ts';
import { writeLayout } from './support/oci-layout.ts';
import { needPrograms, run } from './support/programs.ts';
import { assertExactly } from './support/store-files.ts';
import { operation, temporary, testStore, type TestStore } from './support/store.ts';
import { testAuthority } from './support/test-authority.ts';
import { tokenServer } from './support/token-server.ts';

const layer = (name: string, bytes: number): Buffer => archive([{ name, data: randomBytes(bytes) }]);
const plain = { ...operation, plainHttp: true };

interface Pushing {
  readonly place: string;
  readonly registry: DockerRegistry;
  readonly made: TestStore;
}

async function pushing(work: (parts: Pushing) => Promise<void>, options: DockerRegistryOptions = {}): Promise<void> {
  await using place = await temporary();
  await using registry = await dockerRegistry(place.path, options);
  await using made = await testStore();
  await work({ place: place.path, registry, made });
}

async function* pieces(bytes: Uint8Array) {
  yield bytes;
}

async function imported({ store }: TestStore, name: string, architecture: string, ...layers: Buffer[]): Promise<Image> {
  const [first, ...others] = layers as [Buffer, ...Buffer[]];
  const platform = { os: 'linux', architecture };
  let image = await store.import(pieces(first), { ...operation, name, platform });
  for (const above of others) {
    image = await store.commit(
      {
        base: image.id,
        layer: pieces(above),
        config: image.config,
        createdBy: 'test',
        created: '2024-01-01T00:00:00Z',
        name,
      },
      operation,
    );
  }
  return image;
}

/** Pushes; tells how each layer came to be there. */
async function push(made: TestStore, name: string, options: Partial<PushOptions> = {}) {
  const ends: Progress['phase'][] = [];
  const onProgress = ({ phase }: Progress) => void (['done', 'exists', 'mounted'].includes(phase) && ends.push(phase));
  const pushed = await made.store.push(name, { ...plain, onProgress, ...options });
  return { pushed, ends };
}

const SKOPEO = ['--src-tls-verify=false'];

describe('a push to docker-registry', function () {
  this.timeout(120_000);

  before(function () {
    needPrograms(this, 'docker-registry', 'skopeo', 'umoci', 'openssl');
  });

  it('brings an image there that others read by its digest, and a second time sends nothing', () =>
    pushing(async ({ place, registry, made }) => {
      const name = `${registry.host}/team/app:1.0`;
      const image = await imported(made, name, 'amd64', layer('a', 9_000_000), layer('b', 10), layer('c', 0));
      const { pushed, ends } = await push(made, name);
      const [{ digest, sizeBytes } = { digest: '', sizeBytes: 0 }] = pushed;
      assert.deepEqual(pushed, [{ name, digest, sizeBytes, imageIds: [image.id] }]);
      assert.deepEqual(ends, ['done', 'done', 'done']);
      const target = `docker://${registry.host}/team/app@${digest}`;
      run('skopeo', ['copy', '-q', ...SKOPEO, target, `oci:${place}/copy:x`]);
      assert.equal(readFileSync(join(place, 'copy/blobs/sha256', digest.slice(7))).length, sizeBytes);
      const known = await made.store.inspect(name, operation);
      assert.deepEqual(known.repoDigests, [`${registry.host}/team/app@${digest}`]);
      assert.equal((await made.store.inspect(`${registry.host}/team/app@${digest}`, operation)).id, image.id);
      const all = await made.store.list(operation);
      assertExactly(made.directory, await Promise.all(all.map(({ id }) => made.store.inspect(id, operation))));

      await using other = await testStore();
      const [copied] = await other.store.load({ kind: 'directory', path: join(place, 'copy') }, operation);
      assert.deepEqual([copied?.id, copied?.diffIds], [image.id, image.diffIds]);
      const again = await push(made, name);
      assert.deepEqual([again.pushed, again.ends], [pushed, ['exists', 'exists', 'exists']]);
    }));

  it('gets there over connections that break', () =>
    pushing(async ({ registry, made }) => {
      const bytes = 20_000_000;
      // In the first piece, and in later ones.
      await using proxy = await cuttingProxy(registry.host, [100_000, 3_000_000, 12_000_000, 9_000_000]);
      const image = await imported(made, `${proxy.host}/broken`, 'amd64', layer('a', bytes));
      const { pushed, ends } = await push(made, `${proxy.host}/broken`);
      assert.deepEqual([ends, proxy.cuts], [['done'], 4]);
      await using reader = await testStore();
      const read = await reader.store.pull(`${registry.host}/broken@${pushed[0]?.digest}`, plain);
      assert.equal(read.id, image.id);
    }));

  it('keeps a manifest from another repository of the registry, whose layers it takes over', () =>
    pushing(async ({ place, registry, made }) => {
      const layers = [layer('a', 100_000), layer('b', 10)];
      for (const compression of ['gzip', 'zstd'] as const) {
        writeLayout(join(place, compression), [{ tag: 'x', layers, compression }]);
        registry.push(join(place, compression), 'x', `from/${compression}:x`);
        const image = await made.store.pull(`${registry.host}/from/${compression}:x`, plain);
        await made.store.tag(image.id, `${registry.host}/to/${compression}:y`, operation);
        const { pushed, ends } = await push(made, `${registry.host}/to/${compression}:y`);
        assert.deepEqual([pushed[0]?.digest, ends], [image.digest, ['mounted', 'mounted']]);
        await made.store.remove(image.id, operation);
      }
    }));

  it("keeps Docker's manifests as they are, and calls their layers by OCI's names in its own", () =>
    pushing(async ({ place, registry, made }) => {
      writeLayout(join(place, 'layout'), [{ tag: 'x', layers: [layer('base', 1000)], compression: 'gzip' }]);
      const from = `${registry.host}/docker:x`;
      const toDocker = ['--format', 'v2s2', '--dest-tls-verify=false', `oci:${place}/layout:x`, `docker://${from}`];
      run('skopeo', ['copy', '-q', ...toDocker]);
      const base = await made.store.pull(from, plain);
      const raw = (name: string): string =>
        run('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${name}`]);
      const same = `${registry.host}/same:x`;
      await push(made, same, { images: [base.id] });
      assert.match(raw(from), /"application\/vnd\.docker\.distribution\.manifest\.v2\+json"/);
      assert.equal(raw(same), raw(from));

      const { config } = base;
      const created = '2024-01-01T00:00:00Z';
      const child = await made.store.commit(
        { base: base.id, layer: pieces(layer('new', 10)), config, createdBy: 'test', created },
        operation,
      );
      const own = `${registry.host}/own:x`;
      assert.deepEqual((await push(made, own, { images: [child.id] })).ends.toSorted(), ['done', 'mounted']);
      const types = (JSON.parse(raw(own)) as { layers: { mediaType: string }[] }).layers.map((it) => it.mediaType);
      assert.deepEqual(new Set(types), new Set(['application/vnd.oci.image.layer.v1.tar+gzip']));
      run('skopeo', ['copy', '-q', ...SKOPEO, `docker://${own}`, `oci:${place}/copy:x`]);
    }));

  it('gives an image from elsewhere a manifest of its own, and its layers to the next', () =>
    pushing(async ({ place, registry, made }) => {
      await using second = await temporary();
      await using other = await dockerRegistry(second.path);
      const base = layer('base', 100_000);
      writeLayout(join(place, 'layout'), [{ tag: 'x', layers: [base], compression: 'zstd' }]);
      registry.push(join(place, 'layout'), 'x', 'base:x');
      const image = await made.store.pull(`${registry.host}/base:x`, plain);
      await made.store.tag(image.id, `${other.host}/base:x`, operation);
      const { pushed, ends } = await push(made, `${other.host}/base:x`);
      assert.notEqual(pushed[0]?.digest, image.digest);
      assert.deepEqual(ends, ['done']);
      await using reader = await testStore();
      const read = await reader.store.pull(`${other.host}/base@${pushed[0]?.digest}`, plain);
      assert.equal(read.id, image.id);

      const app = await imported(made, `${other.host}/app`, 'amd64', base, layer('app', 10));
      assert.deepEqual((await push(made, `${other.host}/app`)).ends.toSorted(), ['done', 'mounted']);
      assert.deepEqual((await made.store.inspect(app.id, operation)).names, [`${other.host}/app:latest`]);
    }));

  it('makes an index of several images, and each platform finds its own', () =>
    pushing(async ({ registry, made }) => {
      const shared = layer('shared', 1000);
      const amd64 = await imported(made, 'app:amd64', 'amd64', shared, layer('a', 10));
      const arm64 = await imported(made, 'app:arm64', 'arm64', shared, layer('b', 10));
      const name = `${registry.host}/app:1`;
      const { pushed, ends } = await push(made, name, { images: ['app:amd64', arm64.id] });
      assert.deepEqual(ends, ['done', 'done', 'done']);
      assert.deepEqual(pushed[0]?.imageIds, [amd64.id, arm64.id]);
      const raw = run('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${name}`]);
      const index = JSON.parse(raw) as { manifests: { platform: { architecture: string } }[] };
      assert.deepEqual(
        index.manifests.map(({ platform }) => platform.architecture),
        ['amd64', 'arm64'],
      );
      await using reader = await testStore();
      for (const image of [amd64, arm64]) {
        const { platform } = image;
        const read = await reader.store.pull(`${registry.host}/app@${pushed[0]?.digest}`, { ...plain, platform });
        assert.equal(read.id, image.id);
      }
      const [own, other] = process.arch === 'arm64' ? [arm64, amd64] : [amd64, arm64];
      const known = (await made.store.inspect(own.id, operation)).repoDigests;
      assert.equal(known.at(-1), `${registry.host}/app@${pushed[0]?.digest}`);
      assert.equal((await made.store.inspect(other.id, operation)).repoDigests.length, 1);
    }));

  it('sends all tags of a repository when it is asked to, and no others', () =>
    pushing(async ({ registry, made }) => {
      const repository = `${registry.host}/tags`;
      const one = await imported(made, `${repository}:1`, 'amd64', layer('a', 10));
      await made.store.tag(one.id, `${repository}:2`, operation);
      await made.store.tag(one.id, `${repository}/more:3`, operation);
      const { pushed } = await push(made, repository, { allTags: true });
      assert.deepEqual(
        pushed.map(({ name }) => name),
        [`${repository}:1`, `${repository}:2`],
      );
      const { Tags } = JSON.parse(run('skopeo', ['list-tags', '--tls-verify=false', `docker://${repository}`])) as {
        Tags: string[];
      };
      assert.deepEqual(Tags.toSorted(), ['1', '2']);
      await assert.rejects(push(made, `${repository}:1`, { allTags: true }), { code: 'INVALID_REFERENCE' });
      await assert.rejects(push(made, `${registry.host}/none`, { allTags: true }), { code: 'IMAGE_NOT_FOUND' });
    }));

  it('shows a token service the scope that it needs, also of what it takes over', async () => {
    await using place = await temporary();
    const authority = testAuthority(place.path);
    const signer = authority.issue('signer', ['DNS:signer']);
    await using tokens = await tokenServer({ ...signer, user: `${USER.name}:${USER.password}` });
    await using registry = await dockerRegistry(place.path, {
      token: { realm: tokens.realm, authority: authority.certificate },
    });
    await using made = await testStore();
    const image = await imported(made, `${registry.host}/team/one`, 'amd64', layer('a', 1000));
    const credentials = [{ registry: registry.host, username: USER.name, password: USER.password }];
    await assert.rejects(push(made, `${registry.host}/team/one`), { code: 'REGISTRY_DENIED' });
    const { ends } = await push(made, `${registry.host}/team/one`, { credentials });
    assert.deepEqual(ends, ['done']);
    await made.store.tag(image.id, `${registry.host}/team/two`, operation);
    const two = await push(made, `${registry.host}/team/two`, { credentials });
    assert.deepEqual(two.ends, ['mounted']);
    assert.deepEqual(
      new Set(tokens.scopes),
      new Set(['repository:team/one:pull,push', 'repository:team/two:pull,push', 'repository:team/one:pull']),
    );
  });

  it('refuses what is not there, what is no name to push to, and platforms that do not fit', () =>
    pushing(async ({ registry, made }) => {
      const name = `${registry.host}/app`;
      const image = await imported(made, name, 'amd64', layer('a', 10));
      const refused: [string, Partial<PushOptions>, string][] = [
        [`${registry.host}/none`, {}, 'IMAGE_NOT_FOUND'],
        [`${name}@${image.digest}`, {}, 'INVALID_REFERENCE'],
        [name, { images: [image.id, name] }, 'INVALID_ARGUMENT'],
        [name, { images: ['none'] }, 'IMAGE_NOT_FOUND'],
        [name, { platform: { os: 'linux', architecture: 'arm64' } }, 'IMAGE_NOT_FOUND'],
        [name, { allTags: true, platform: image.platform }, 'INVALID_ARGUMENT'],
        ['registry.example/app', { images: [name] }, 'INVALID_ARGUMENT'],
      ];
      for (const [to, options, code] of refused) await assert.rejects(push(made, to, options), { code }, to);
      assert.deepEqual((await push(made, name, { platform: image.platform })).ends, ['done']);
    }));
});
