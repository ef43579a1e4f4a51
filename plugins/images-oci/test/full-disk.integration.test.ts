/** What the store makes of a disk without room for its catalog. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Image } from '@a3s-box/core';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { assertExactly } from './support/store-files.ts';
import { operation, testStore } from './support/store.ts';
import { writableRegistry } from './support/writable-registry.ts';

const layer = (name: string): Buffer => archive([{ name, data: randomBytes(40_000) }]);

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** Lets some commits through, and has those after them find no room, as SQLite tells of it. */
function fullAfter(commits: number): Disposable {
  const { prototype } = DatabaseSync;
  const { exec } = prototype;
  let left = commits;
  prototype.exec = function (this: DatabaseSync, sql: string): void {
    if (sql === 'COMMIT' && left-- <= 0) {
      throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
    }
    exec.call(this, sql);
  };
  return { [Symbol.dispose]: () => void (prototype.exec = exec) };
}

function holders(directory: string): number {
  using database = new DatabaseSync(join(directory, 'catalog.db'), { readOnly: true });
  return database.prepare('SELECT * FROM holders').all().length;
}

describe('an image store on a full disk', () => {
  it('says so wherever it finds out, and adds the image when there is room', async () => {
    await using made = await testStore();
    const bytes = layer('a');
    let image: Image | undefined;
    for (let commits = 0; !image; commits++) {
      using _ = fullAfter(commits);
      try {
        image = await made.store.import(once(bytes), { name: 'app:1', ...operation });
        assert.ok(commits >= 3, `it took ${commits} commits`);
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'DISK_FULL', `after ${commits} commits: ${String(error)}`);
      }
    }
    assert.equal((await made.store.list(operation)).length, 1);
    await made.store.tag('app:1', 'app:2', operation);
    assertExactly(made.directory, [await made.store.inspect('app:1', operation)]);
    assert.equal(holders(made.directory), 0);
  });

  it('sends an image, or says so, and keeps what it has', async () => {
    await using registry = await writableRegistry();
    await using made = await testStore();
    const name = `${registry.host}/app:1`;
    const image = await made.store.import(once(layer('a')), { name, ...operation });
    let sent = false;
    for (let commits = 0; !sent; commits++) {
      using _ = fullAfter(commits);
      try {
        await made.store.push(name, { ...operation, plainHttp: true });
        sent = true;
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'DISK_FULL', `after ${commits} commits: ${String(error)}`);
      }
    }
    assert.ok(registry.manifests.has('app:1'));
    await made.store.tag(name, 'other:1', operation);
    assertExactly(made.directory, [image]);
    assert.equal(holders(made.directory), 0);
  });

  it('gives a disk back that it has no room to write down, with the next change', async () => {
    await using made = await testStore();
    const image = await made.store.import(once(layer('a')), { name: 'app:1', ...operation });
    const disk = await made.store.rootDisk(image.id, operation);
    {
      using _ = fullAfter(0);
      await disk.release();
    }
    assert.equal(holders(made.directory), 1);
    await made.store.remove('app:1', { force: false, ...operation });
    assert.equal(holders(made.directory), 0);
    assertExactly(made.directory, []);
  });

  it('keeps an image whole that it has no room to remove', async () => {
    await using made = await testStore();
    const image = await made.store.import(once(layer('a')), { name: 'app:1', ...operation });
    {
      using _ = fullAfter(0);
      await assert.rejects(made.store.remove('app:1', { force: false, ...operation }), { code: 'DISK_FULL' });
    }
    assertExactly(made.directory, [image]);
    await (await made.store.rootDisk(image.id, operation)).release();
    await made.store.remove('app:1', { force: false, ...operation });
    assertExactly(made.directory, []);
  });
});
