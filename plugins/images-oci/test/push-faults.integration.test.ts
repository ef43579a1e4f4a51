import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, it } from 'mocha';
import type { Image } from '@a3s-box/core';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { digestOf } from '../dist/digest.js';
import { OciImageStore } from '../dist/index.js';
import { guestPlatform } from '../dist/platform.js';
import { assertExactly } from './support/store-files.ts';
import { collectingLogger, operation, temporary, testStore } from './support/store.ts';
import { writableRegistry, type WritableRegistry, type WritableRegistryOptions } from './support/writable-registry.ts';

const plain = { ...operation, plainHttp: true };
const { architecture } = guestPlatform();
const archiveOf = (bytes: number): Buffer => archive([{ name: 'a', data: randomBytes(bytes) }]);
const rootfs = archiveOf(300_000);

async function* pieces(bytes: Uint8Array) {
  yield bytes;
}

interface Pushing {
  readonly registry: WritableRegistry;
  readonly store: OciImageStore;
  readonly directory: string;
  readonly name: string;
  readonly image: Image;
}

async function pushing(options: WritableRegistryOptions, work: (parts: Pushing) => Promise<void>): Promise<void> {
  await using registry = await writableRegistry(options);
  await using made = await testStore();
  const name = `${registry.host}/team/app:1`;
  const image = await made.store.import(pieces(rootfs), { ...operation, name });
  await work({ registry, name, image, ...made });
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

function manifestOf({ manifests }: WritableRegistry, key: string): Manifest {
  return JSON.parse(manifests.get(key)?.bytes.toString() ?? '{}') as Manifest;
}

/** Asserts that a repository has an image in full under a name, or nothing under it. */
function assertWhole(registry: WritableRegistry, key: string): void {
  if (!registry.manifests.has(key)) return;
  const { config, layers } = manifestOf(registry, key);
  for (const { digest } of [config, ...layers]) assert.ok(registry.blobs.has(`team/app@${digest}`), digest);
}

describe('a push that does not get to its end', function () {
  this.timeout(60_000);

  it('leaves nothing here when it is cancelled, and the next goes through', async () => {
    let cancel: AbortController | undefined;
    const intercept: WritableRegistryOptions['intercept'] = ({ method }) => {
      if (method === 'PATCH') cancel?.abort();
      return false;
    };
    await pushing({ intercept }, async ({ registry, store, directory, name, image }) => {
      cancel = new AbortController();
      const { signal } = cancel;
      await assert.rejects(store.push(name, { ...plain, signal }), { code: 'CANCELLED' });
      cancel = undefined;
      assertExactly(directory, [image]);
      assert.equal(registry.manifests.size, 0);
      assert.deepEqual((await store.inspect(name, operation)).repoDigests, []);
      await store.push(name, plain);
      assertWhole(registry, 'team/app:1');
      assert.ok(registry.manifests.has('team/app:1'));
    });
  });

  it('leaves nothing here when the registry fails, and no name there', () =>
    pushing(
      {
        intercept: (request, response) =>
          request.method === 'PUT' &&
          /uploads/.test(request.url ?? '') &&
          Boolean(response.writeHead(507).end('{"errors":[{"code":"DENIED"}]}')),
      },
      async ({ registry, store, directory, name, image }) => {
        await assert.rejects(store.push(name, plain), { code: 'REGISTRY_FAILED', message: /status 507/ });
        assertExactly(directory, [image]);
        assert.equal(registry.manifests.size, 0);
      },
    ));

  it('gives no name to an image whose layer is damaged here', () =>
    pushing({}, async ({ registry, store, directory, name, image }) => {
      const [diffId = ''] = image.diffIds;
      const file = join(directory, 'layers/sha256', diffId.slice(7), 'layer.erofs');
      const content = readFileSync(file);
      content.fill(1, content.length / 2, content.length / 2 + 4096);
      writeFileSync(file, content);
      await assert.rejects(store.push(name, plain), { code: 'IMAGE_CORRUPT' });
      assert.equal(registry.manifests.size, 0);
      assertExactly(directory, [image]);
    }));

  it('leaves nothing half-done when its process is killed at any moment, and the next completes', async () => {
    await using place = await temporary();
    await using registry = await writableRegistry();
    const directory = join(place.path, 'store');
    const name = `${registry.host}/team/app:1`;
    const images: Image[] = [];
    {
      await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
      images.push(await store.import(pieces(archiveOf(12_000_000)), { ...operation, name }));
    }
    let killed = 0;
    for (let round = 0; round < 8; round++) {
      registry.blobs.clear();
      registry.manifests.clear();
      if (await pushUntil(directory, name, round * 60)) killed++;
      assertWhole(registry, 'team/app:1');
      // Who opens it next clears away what is left.
      await (await OciImageStore.open({ directory, logger: collectingLogger([]) }))[Symbol.asyncDispose]();
      assertExactly(directory, images);
    }
    assert.ok(killed >= 3, `only ${killed} of 8 pushes were killed`);
    assert.equal(await pushUntil(directory, name, undefined), false);
    assert.ok(registry.manifests.has('team/app:1'));
    assertWhole(registry, 'team/app:1');
  });
});

describe('a push while other things happen', function () {
  this.timeout(30_000);

  it('goes on when its image is removed here', async () => {
    let remove = async (): Promise<void> => undefined;
    const intercept: WritableRegistryOptions['intercept'] = async ({ method }) => {
      if (method === 'PATCH') await remove();
      return false;
    };
    await pushing({ intercept }, async ({ registry, store, directory, name, image }) => {
      remove = async () => {
        remove = async () => undefined;
        await store.remove(image.id, operation);
      };
      await store.push(name, plain);
      assert.ok(registry.manifests.has('team/app:1'));
      assertWhole(registry, 'team/app:1');
      assertExactly(directory, []);
    });
  });

  it('goes where the route of its name leads, and to no mirror', async () => {
    await using mirror = await writableRegistry();
    await pushing({}, async ({ registry, store, image }) => {
      const settings = {
        hosts: { [mirror.host]: { plainHttp: true } },
        routes: [{ prefix: 'docker.io', location: `${registry.host}/hub`, mirrors: [mirror.host] }],
      };
      await store.tag(image.id, 'team/app:2', operation);
      const [pushed] = await store.push('team/app:2', { ...plain, settings });
      assert.ok(registry.manifests.has('hub/team/app:2'));
      assert.deepEqual(mirror.calls, []);
      assert.equal(pushed?.name, 'docker.io/team/app:2');
      const { repoDigests } = await store.inspect(image.id, operation);
      assert.deepEqual(repoDigests, [`docker.io/team/app@${pushed?.digest}`]);
    });
  });
});

describe('what a push believes', function () {
  this.timeout(30_000);

  it('of a layer is what was checked, and not what a manifest says', () =>
    pushing({}, async ({ registry, store, name, image }) => {
      // Says that the layer is in a blob which holds something else.
      const other = gzipSync(Buffer.from('something else'));
      const config = Buffer.from(
        JSON.stringify({ os: 'linux', architecture, config: {}, rootfs: { type: 'layers', diff_ids: image.diffIds } }),
      );
      const put = (bytes: Buffer) => {
        registry.blobs.set(`evil/app@${digestOf(bytes)}`, bytes);
        return { digest: digestOf(bytes), size: bytes.length };
      };
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...put(config) },
          layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...put(other) }],
        }),
      );
      registry.manifests.set('evil/app:latest', { type: 'application/vnd.oci.image.manifest.v1+json', bytes });
      await store.pull(`${registry.host}/evil/app`, plain);
      await store.push(name, plain);
      const [layer] = manifestOf(registry, 'team/app:1').layers;
      assert.notEqual(layer?.digest, digestOf(other));
      assertWhole(registry, 'team/app:1');
    }));

  it('goes with the layer that it knew it of, and is asked of the registry each time', () =>
    pushing({}, async ({ registry, store, directory, name, image }) => {
      await store.push(name, plain);
      const places = (): number => {
        using db = disposable(new DatabaseSync(join(directory, 'catalog.db'), { readOnly: true }));
        return Number(db.value.prepare('SELECT count(*) AS n FROM layer_places').get()?.['n']);
      };
      assert.equal(places(), 1);
      registry.blobs.clear();
      await store.push(name, plain);
      assertWhole(registry, 'team/app:1');
      await store.remove(image.id, operation);
      assert.equal(places(), 0);
    }));
});

function disposable(value: DatabaseSync): Disposable & { value: DatabaseSync } {
  return { value, [Symbol.dispose]: () => value.close() };
}

/** Pushes in a process of its own, and kills it some time after it began. @returns whether it was killed before its end */
async function pushUntil(directory: string, name: string, killAfterMs: number | undefined): Promise<boolean> {
  const main = join(import.meta.dirname, 'support/push-main.ts');
  const child = spawn(process.execPath, [main, directory, name], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>;
  if (killAfterMs !== undefined) {
    await Promise.race([exit, once(child.stdout, 'data')]);
    await Promise.race([exit, setTimeout(killAfterMs)]);
    child.kill('SIGKILL');
  }
  const [code, signal] = await exit;
  if (signal === 'SIGKILL') return true;
  assert.equal(code, 0, stderr);
  return false;
}
