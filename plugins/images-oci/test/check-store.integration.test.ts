import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { Image, StoreProblem } from '@a3s-box/core';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { writeLayout } from './support/oci-layout.ts';
import { assertExactly } from './support/store-files.ts';
import { operation, temporary, testStore, type TestStore } from './support/store.ts';

const base = archive([
  { name: 'bin/tool', data: Buffer.alloc(50_000, 'tool') },
  { name: 'etc/file', data: Buffer.from('a') },
]);
const upper = archive([{ name: 'etc/.wh.file' }, { name: 'etc/more', data: Buffer.alloc(9000, 'm') }]);
const other = archive([{ name: 'other', data: Buffer.alloc(20_000, 'o') }]);

/** Turns one bit. @returns what turns it back */
function flip(path: string, position: number): () => void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, position);
  const before = Buffer.from(byte);
  byte[0] = (byte[0] ?? 0) ^ (1 << randomInt(8));
  writeSync(file, byte, 0, 1, position);
  closeSync(file);
  return () => {
    const again = openSync(path, 'r+');
    writeSync(again, before, 0, 1, position);
    closeSync(again);
  };
}

/** A store with two images that share a layer, their disks made. */
async function filledStore(): Promise<TestStore & { readonly images: readonly [Image, Image] }> {
  const made = await testStore();
  await using place = await temporary();
  writeLayout(place.path, [
    { tag: 'docker.io/library/two:1', layers: [base, upper] },
    { tag: 'docker.io/library/three:1', layers: [base, other, upper] },
  ]);
  const [two, three] = await made.store.load({ kind: 'directory', path: place.path }, operation);
  for (const { id } of [two as Image, three as Image]) await (await made.store.rootDisk(id, operation)).release();
  return { ...made, images: [two as Image, three as Image] };
}

const at = (made: TestStore, ...path: string[]): string => join(made.directory, ...path);
const layerFile = (made: TestStore, diffId: string, file = 'layer.erofs'): string =>
  at(made, 'layers', 'sha256', diffId.slice(7), file);
const told = ({ kind, digest, repaired }: StoreProblem): unknown[] => [kind, digest, repaired];

describe('the check of a store', function () {
  this.timeout(120_000);

  it('finds nothing in a store that is whole, and leaves nothing', async () => {
    await using made = await filledStore();
    assert.deepEqual(await made.store.check(operation), { layers: 3, problems: [], removed: [] });
    assertExactly(made.directory, made.images);
  });

  it('finds every bit that has turned in a layer or a document', async () => {
    await using made = await filledStore();
    const [two, three] = made.images;
    const files = [
      ...three.diffIds.map((diffId) => ['layer', layerFile(made, diffId)] as const),
      ...[two.id, two.digest].map((digest) => ['document', at(made, 'blobs', 'sha256', digest.slice(7))] as const),
    ];
    for (const [kind, path] of files) {
      for (let round = 0; round < 6; round++) {
        const undo = flip(path, randomInt(statSync(path).size));
        const { problems } = await made.store.check(operation);
        assert.ok(
          problems.some((problem) => problem.kind === kind && path.includes(problem.digest.slice(7))),
          `${path}: ${JSON.stringify(problems)}`,
        );
        undo();
      }
    }
    assert.deepEqual((await made.store.check(operation)).problems, []);
  });

  it('tells what of its record is damaged from what makes no difference', async () => {
    await using made = await filledStore();
    const [diffId = ''] = made.images[0].diffIds;
    const path = layerFile(made, diffId, 'archive.frames');
    let found = 0;
    for (let round = 0; round < 12; round++) {
      const undo = flip(path, randomInt(statSync(path).size));
      const { problems } = await made.store.check(operation);
      found += problems.length;
      for (const problem of problems) assert.deepEqual([problem.kind, problem.digest], ['layer', diffId]);
      undo();
    }
    assert.ok(found > 0);
    truncateSync(path, 10);
    assert.equal((await made.store.check(operation)).problems.length, 1);
  });

  it('takes images away with what is damaged when it is asked to, and no others', async () => {
    await using made = await filledStore();
    const [two, three] = made.images;
    const own = three.diffIds[1] as string;
    rmSync(layerFile(made, own));
    const report = await made.store.check(operation);
    assert.deepEqual(report.problems.map(told), [['layer', own, false]]);
    assert.deepEqual(report.problems[0]?.images, ['docker.io/library/three:1']);
    assert.equal((await made.store.list(operation)).length, 2, 'nothing was done yet');
    const repaired = await made.store.check({ ...operation, repair: true });
    assert.deepEqual(repaired.problems.map(told), [['layer', own, true]]);
    assert.deepEqual(repaired.removed, ['docker.io/library/three:1']);
    assertExactly(made.directory, [two]);
    assert.deepEqual((await made.store.check(operation)).problems, []);
  });

  it('makes a damaged disk anew, and takes no image away for it', async () => {
    await using made = await filledStore();
    const [two] = made.images;
    const { disk, release } = await made.store.rootDisk(two.id, operation);
    const merged = disk.extents?.[0] as string;
    await release();
    flip(merged, 1024 + randomInt(64));
    const { problems, removed } = await made.store.check({ ...operation, repair: true });
    assert.deepEqual(
      problems.map(({ kind, repaired }) => [kind, repaired]),
      [['disk', true]],
    );
    assert.deepEqual(removed, []);
    const again = await made.store.rootDisk(two.id, operation);
    await again.release();
    assert.deepEqual((await made.store.check(operation)).problems, []);
  });

  it('leaves what is in use', async () => {
    await using made = await filledStore();
    const [two] = made.images;
    const root = await made.store.rootDisk(two.id, operation);
    const [diffId = ''] = two.diffIds;
    flip(layerFile(made, diffId), 2000);
    const { problems, removed } = await made.store.check({ ...operation, repair: true });
    assert.deepEqual(problems.map(told), [['layer', diffId, false]]);
    assert.deepEqual(removed, []);
    await root.release();
    const later = await made.store.check({ ...operation, repair: true });
    assert.deepEqual(later.removed.toSorted(), ['docker.io/library/three:1', 'docker.io/library/two:1']);
    assertExactly(made.directory, []);
  });

  it('ends when it is cancelled, and leaves nothing', async () => {
    await using made = await filledStore();
    const abort = new AbortController();
    const check = made.store.check({ signal: abort.signal, onProgress: () => abort.abort() });
    await assert.rejects(check, { code: 'CANCELLED' });
    assertExactly(made.directory, made.images);
  });
});
