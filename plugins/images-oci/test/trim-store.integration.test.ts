import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, it } from 'mocha';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { assertExactly } from './support/store-files.ts';
import { operation, testStore, type TestStore } from './support/store.ts';

const MIB = 2 ** 20;

async function add({ store }: TestStore, name: string, bytes = MIB) {
  return await store.import(Readable.from([archive([{ name: 'data', data: randomBytes(bytes) }])]), {
    ...operation,
    name,
  });
}

describe('a store with a limit', () => {
  const limited = () => testStore({}, { maxStoreBytes: 3.5 * MIB });
  const names = async ({ store }: TestStore): Promise<string[]> =>
    (await store.list(operation)).flatMap(({ names: all }) => all).toSorted();
  const trim = ({ store }: TestStore, ...keep: string[]) => store.trim({ ...operation, keep });

  it('keeps what was used last', async () => {
    await using made = await limited();
    const [a, b, c] = [await add(made, 'a'), await add(made, 'b'), await add(made, 'c')];
    assert.deepEqual(await trim(made), [], 'within the limit nothing goes');
    await (await made.store.rootDisk(a.id, operation)).release();
    const d = await add(made, 'd');
    const removed = await trim(made);
    assert.deepEqual(
      removed.map(({ untagged }) => untagged),
      [['docker.io/library/b:latest']],
    );
    assert.deepEqual(removed[0]?.deleted, [b.id, ...b.diffIds]);
    assertExactly(made.directory, [a, c, d]);
  });

  it('keeps what is in use, and what it is told to, over its limit', async () => {
    await using made = await limited();
    const [a, b] = [await add(made, 'a', 2 * MIB), await add(made, 'b', 2 * MIB)];
    const root = await made.store.rootDisk(a.id, operation);
    assert.deepEqual(await trim(made, b.id), []);
    assert.equal((await names(made)).length, 2);
    await root.release();
    assert.equal((await trim(made, b.id)).length, 1);
    assert.deepEqual(await names(made), ['docker.io/library/b:latest']);
  });

  it('counts layers that images share once, and takes nothing without a limit', async () => {
    await using made = await limited();
    const image = await add(made, 'a', 2 * MIB);
    await made.store.commit(
      { base: image.id, name: 'b', config: image.config, createdBy: 'test', created: '2024-01-01T00:00:00Z' },
      operation,
    );
    assert.deepEqual(await trim(made), []);
    await using unlimited = await testStore();
    await add(unlimited, 'a', 8 * MIB);
    assert.deepEqual(await trim(unlimited), []);
  });
});
