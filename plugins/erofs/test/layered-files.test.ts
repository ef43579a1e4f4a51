import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'mocha';
import type { ImageFile } from '@a3s-box/core';
import { LayeredFiles } from '../dist/index.js';
import { archive, type Member } from './support/tar-builder.ts';
import { scratch, writeTo } from './support/written.ts';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');

async function withLayers(layers: readonly (readonly Member[])[], use: (files: LayeredFiles) => Promise<void>) {
  await using place = await scratch();
  const paths = await Promise.all(
    layers.map(async (members, index) => {
      const path = join(place.directory, String(index));
      await writeTo(path, archive(members));
      return path;
    }),
  );
  await using files = await LayeredFiles.open(paths);
  await use(files);
}

function below(files: LayeredFiles, entry: ImageFile): ImageFile[] {
  return [entry, ...files.list(entry).flatMap((it) => below(files, it))];
}

describe('files of layers, without a mount', () => {
  it('are found through links, which lead nowhere above the root', () =>
    withLayers(
      [
        [
          { name: 'etc/passwd', data: text('root:x:0:0\n'), mode: 0o640, uid: 1, gid: 2, mtime: 3 },
          { name: 'usr/lib/a/b', data: text('b') },
          { name: 'lib', type: '2', link: 'usr/lib' },
          { name: 'usr/up', type: '2', link: '../../../etc' },
          { name: 'circle', type: '2', link: '/circle' },
          { name: 'dangling', type: '2', link: 'nothing' },
        ],
      ],
      async (files) => {
        const passwd = files.find('/usr/up/./passwd');
        assert.ok(passwd);
        const { path, type, mode, uid, gid, mtime, size } = passwd;
        assert.deepEqual([path, type, mode, uid, gid, mtime, size], ['etc/passwd', 'file', 0o640, 1, 2, 3, 11]);
        assert.equal(String(await buffer(files.read(passwd))), 'root:x:0:0\n');
        assert.equal(files.find('lib/a')?.path, 'usr/lib/a');
        assert.equal(files.find('lib/../up/passwd')?.path, 'etc/passwd');
        assert.equal(files.find('../../etc')?.path, 'etc');
        assert.deepEqual([files.find('')?.type, files.find('/')?.path], ['directory', '']);
        const nothing = ['circle', 'dangling', 'lib/a/b/c', 'x', 'etc/passwd/..'];
        assert.deepEqual(
          nothing.map((it) => files.find(it)),
          nothing.map(() => undefined),
        );
      },
    ));

  it('are those of the upper layers first, without what these take away', () =>
    withLayers(
      [
        [{ name: 'a', data: text('1') }, { name: 'd/x' }, { name: 'd/y' }, { name: 'b', data: text('below') }],
        [{ name: 'a', data: text('22') }, { name: 'd/.wh.x' }, { name: 'hard', type: '1', link: 'b' }],
      ],
      async (files) => {
        const root = files.find('');
        assert.ok(root);
        const all = below(files, root);
        assert.deepEqual(
          all.map(({ path }) => path),
          ['', 'a', 'b', 'd', 'd/y', 'hard'],
        );
        const [, a, b, , , hard] = all;
        assert.ok(a && b && hard);
        assert.equal(String(await buffer(files.read(a))), '22');
        assert.equal(String(await buffer(files.read(hard))), 'below');
        assert.deepEqual([hard.number === b.number, a.number === b.number], [true, false]);
      },
    ));

  it('are read whole, in pieces, with their holes', () => {
    const large = randomBytes(3 * 1024 * 1024 + 5);
    const holes = Buffer.concat([Buffer.alloc(40_000), text('middle'), Buffer.alloc(5_000_000)]);
    const sparse: Member = {
      name: 'sparse',
      data: text('middle'),
      pax: [
        ...([
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.name', 'sparse'],
        ] as const),
        ['GNU.sparse.realsize', String(holes.length)],
      ],
    };
    const map = Buffer.alloc(512);
    map.write('1\n40000\n6\n');
    return withLayers(
      [[{ name: 'large', data: large }, { name: 'empty' }, { ...sparse, data: Buffer.concat([map, text('middle')]) }]],
      async (files) => {
        for (const [name, content] of [
          ['large', large],
          ['empty', Buffer.alloc(0)],
          ['sparse', holes],
        ] as const) {
          const entry = files.find(name);
          assert.ok(entry);
          assert.ok((await buffer(files.read(entry))).equals(content), name);
        }
      },
    );
  });
});
