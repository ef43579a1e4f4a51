import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { walk } from './support/erofs-reader.ts';
import { archive, type Member } from './support/tar-builder.ts';
import { mergedTree } from './support/written.ts';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const merged = (...layers: (readonly Member[])[]) => mergedTree(layers.map((members) => archive(members)));

async function paths(...layers: (readonly Member[])[]): Promise<string[]> {
  return [...walk(await merged(...layers))].map(([path]) => path).filter((path) => path !== '');
}

describe('mergeLayers', () => {
  it('shows files of all layers, the upper ones first', async () => {
    const root = await merged(
      [
        { name: 'a', data: text('1') },
        { name: 'b', data: text('1') },
      ],
      [{ name: 'b', data: text('22') }],
    );
    assert.equal(root.entries.get('a')?.content.toString(), '1');
    assert.equal(root.entries.get('b')?.content.toString(), '22');
  });

  it('applies whiteouts of files, directories and links to lower layers only', async () => {
    const below: Member[] = [{ name: 'd/x' }, { name: 'f' }, { name: 'l', type: '2', link: 'f' }, { name: 'k' }];
    assert.deepEqual(await paths(below, [{ name: '.wh.d' }, { name: '.wh.f' }, { name: '.wh.l' }]), ['k']);
    assert.deepEqual(await paths(below, [{ name: '.wh.d' }, { name: 'd/y' }]), ['d', 'd/y', 'f', 'k', 'l']);
  });

  it('applies opaque directories', async () => {
    const below: Member[] = [{ name: 'd/x' }, { name: 'd/e/y' }];
    assert.deepEqual(await paths(below, [{ name: 'd/new' }, { name: 'd/.wh..wh..opq' }]), ['d', 'd/new']);
  });

  it('leaves no whiteout and no mark behind, in a single layer either', async () => {
    const root = await merged([{ name: '.wh.a' }, { name: 'd/.wh..wh..opq' }, { name: 'd/.wh.b' }, { name: 'x/y' }]);
    assert.deepEqual(
      [...walk(root)].map(([path]) => path),
      ['', 'd', 'x', 'x/y'],
    );
    for (const [, node] of walk(root)) assert.deepEqual(node.xattrs, {});
  });

  it('replaces directories by files and files by directories', async () => {
    const root = await merged(
      [{ name: 'a/x' }, { name: 'b' }],
      [{ name: 'a', data: text('f') }, { name: 'b/y' }],
      [{ name: 'a/', type: '5' }],
    );
    assert.deepEqual(
      [...walk(root)].map(([path]) => path),
      ['', 'a', 'b', 'b/y'],
    );
  });

  it("takes a directory's owner and mode from the highest layer that names it", async () => {
    const root = await merged(
      [{ name: 'd/', type: '5', mode: 0o700, uid: 5, pax: [['SCHILY.xattr.user.a', '1']] }],
      [{ name: 'd/x' }],
    );
    assert.deepEqual([root.entries.get('d')?.mode, root.entries.get('d')?.uid], [0o40700, 5]);
    assert.deepEqual(root.entries.get('d')?.xattrs, { 'user.a': '31' });
  });

  it('keeps hard links within a layer, and counts what is left of them', async () => {
    const root = await merged(
      [
        { name: 'a', data: text('x') },
        { name: 'b', type: '1', link: 'a' },
        { name: 'c', type: '1', link: 'a' },
      ],
      [{ name: '.wh.a' }],
    );
    assert.equal(root.entries.get('b')?.nid, root.entries.get('c')?.nid);
    assert.equal(root.entries.get('b')?.links, 2);
  });

  it('links to files of lower layers, by the path as it was below', async () => {
    const root = await merged(
      [
        { name: 'usr/f', data: text('x') },
        { name: 'lib', type: '2', link: 'usr' },
      ],
      [{ name: 'g', type: '1', link: 'lib/f' }, { name: 'usr/.wh.f' }],
    );
    assert.equal(root.entries.get('g')?.content.toString(), 'x');
    assert.equal(root.entries.get('g')?.links, 1);
  });

  it('refuses a hard link to what no layer has', () =>
    assert.rejects(merged([{ name: 'a' }], [{ name: 'b', type: '1', link: 'none' }]), {
      code: 'IMAGE_CORRUPT',
      message: /no layer below it has/,
    }));

  it('follows links below implied directories within the root, and replaces them by named ones', async () => {
    const below: Member[] = [{ name: 'usr/lib/x' }, { name: 'lib', type: '2', link: '../../usr/lib' }];
    assert.deepEqual(await paths(below, [{ name: 'lib/y' }]), ['lib', 'usr', 'usr/lib', 'usr/lib/x', 'usr/lib/y']);
    assert.deepEqual(await paths(below, [{ name: 'lib/', type: '5' }, { name: 'lib/y' }]), [
      'lib',
      'lib/y',
      'usr',
      'usr/lib',
      'usr/lib/x',
    ]);
    assert.deepEqual(await paths([{ name: 'l', type: '2', link: 'l' }], [{ name: 'l/y' }]), ['l', 'l/y']);
  });

  it('merges a hundred layers, empty ones among them', async () => {
    const layers = Array.from({ length: 100 }, (_, i): Member[] =>
      i % 3 === 0
        ? []
        : [
            { name: `f${i}`, data: Buffer.alloc(i * 50, i) },
            { name: 'same', data: text(String(i)) },
          ],
    );
    const root = await merged(...layers);
    assert.equal(root.entries.size, 67);
    assert.equal(root.entries.get('same')?.content.toString(), '98');
    assert.ok(root.entries.get('f97')?.content.equals(Buffer.alloc(97 * 50, 97)));
  });

  it('keeps sparse files sparse', async () => {
    const sparse: Member = {
      name: 's',
      data: text('ab'),
      pax: [
        ['GNU.sparse.size', '900000'],
        ['GNU.sparse.map', '0,1,500000,1'],
      ],
    };
    const file = (await merged([sparse], [{ name: 'x' }])).entries.get('s');
    assert.equal(file?.content[500_000], 0x62);
    assert.ok((file?.holes ?? 0) > 200);
  });
});
