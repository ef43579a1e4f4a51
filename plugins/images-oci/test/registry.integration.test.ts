import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { before, describe, it } from 'mocha';
import type { Progress } from '@a3s-box/core';
import { OciImageStore } from '../dist/index.js';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { dockerRegistry } from './support/docker-registry.ts';
import { writeLayout } from './support/oci-layout.ts';
import { needPrograms } from './support/programs.ts';
import { assertExactly } from './support/store-files.ts';
import { collectingLogger, operation, temporary, testStore } from './support/store.ts';

const layer = (name: string, bytes: number): Buffer => archive([{ name, data: randomBytes(bytes) }]);
const plain = { ...operation, plainHttp: true };

describe('a pull from docker-registry', function () {
  this.timeout(300_000);

  before(function () {
    needPrograms(this, 'docker-registry', 'skopeo');
  });

  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    it(`fetches an image with ${compression} layers by tag and digest, and only what is missing`, async () => {
      await using place = await temporary();
      await using registry = await dockerRegistry(place.path);
      const shared = layer('shared', 100_000);
      const layers = [shared, layer('one', 50_000)];
      writeLayout(join(place.path, 'layout'), [
        { tag: 'one', layers, compression },
        { tag: 'two', layers: [shared, layer('two', 10)], compression },
      ]);
      for (const tag of ['one', 'two']) registry.push(join(place.path, 'layout'), tag, `team/app:${tag}`);
      await using made = await testStore();
      const one = await made.store.pull(`${registry.host}/team/app:one`, plain);
      assert.deepEqual(one.names, [`${registry.host}/team/app:one`]);
      const progress: Progress[] = [];
      const two = await made.store.pull(`${registry.host}/team/app:two`, {
        ...plain,
        onProgress: (step) => progress.push(step),
      });
      assert.deepEqual(
        new Set(progress.filter(({ phase }) => phase === 'exists' || phase === 'done').map(({ phase }) => phase)),
        new Set(['exists', 'done']),
      );
      const byDigest = await made.store.pull(`${registry.host}/team/app@${one.digest}`, plain);
      assert.equal(byDigest.id, one.id);
      assert.equal((await made.store.inspect(`${registry.host}/team/app@${one.digest}`, operation)).id, one.id);
      assertExactly(made.directory, [one, two]);
    });
  }

  it('says what the registry does not have', async () => {
    await using place = await temporary();
    await using registry = await dockerRegistry(place.path);
    await using made = await testStore();
    await assert.rejects(made.store.pull(`${registry.host}/no/such`, plain), { code: 'IMAGE_NOT_FOUND' });
  });

  it('that is killed at any moment leaves nothing half-done, and the next completes', async () => {
    await using place = await temporary();
    await using registry = await dockerRegistry(place.path);
    const layers = [layer('a', 12_000_000), layer('b', 6_000_000), layer('c', 3_000_000), layer('d', 10)];
    writeLayout(join(place.path, 'layout'), [{ tag: 'big', layers, compression: 'gzip' }]);
    registry.push(join(place.path, 'layout'), 'big', 'big:latest');
    const reference = `${registry.host}/big`;
    const directory = join(place.path, 'store');
    const begin = performance.now();
    await pullUntil(join(place.path, 'timing'), reference, undefined);
    const duration = performance.now() - begin;
    let interrupted = 0;
    for (let round = 0; round < KILLS; round++) {
      const killed = await pullUntil(directory, reference, Math.random() * duration);
      if (killed) interrupted++;
      await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
      const images = await store.list(operation);
      const seen = await Promise.all(images.map(({ id }) => store.inspect(id, operation)));
      for (const { id, diffIds } of seen) {
        assert.equal(diffIds.length, layers.length);
        await (await store.rootDisk(id, operation)).release();
      }
      assertExactly(directory, seen);
      assert.deepEqual((await store.check(operation)).problems, []);
      for (const { id } of seen) await store.remove(id, operation);
    }
    assert.ok(interrupted >= KILLS / 4, `only ${interrupted} of ${KILLS} pulls were interrupted`);
    await pullUntil(directory, reference, undefined);
    await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
    assertExactly(directory, [await store.inspect(reference, operation)]);
  });

  it('of one image by several processes at once ends well for all', async () => {
    await using place = await temporary();
    await using registry = await dockerRegistry(place.path);
    writeLayout(join(place.path, 'layout'), [{ tag: 'x', layers: [layer('a', 3_000_000), layer('b', 1_000_000)] }]);
    registry.push(join(place.path, 'layout'), 'x', 'x:latest');
    const directory = join(place.path, 'store');
    const pulls = Array.from({ length: 3 }, () => pullUntil(directory, `${registry.host}/x`, undefined));
    for (const pull of await Promise.allSettled(pulls)) if (pull.status === 'rejected') throw pull.reason;
    await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
    assertExactly(directory, [await store.inspect(`${registry.host}/x`, operation)]);
  });
});

const KILLS = 50;

/** Pulls in a process of its own, and kills it after some time. @returns whether it was killed before its end */
async function pullUntil(directory: string, reference: string, killAfterMs: number | undefined): Promise<boolean> {
  const main = join(import.meta.dirname, 'support/pull-main.ts');
  const child = spawn(process.execPath, [main, directory, reference], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>;
  if (killAfterMs !== undefined) {
    await Promise.race([exit, setTimeout(killAfterMs)]);
    child.kill('SIGKILL');
  }
  const [code, signal] = await exit;
  if (signal === 'SIGKILL') return true;
  assert.equal(code, 0, stderr);
  return false;
}
