import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { linesOf, modelOf, Refused } from './support/model.ts';
import { readErofs, walk } from './support/erofs-reader.ts';
import { archive, type Member } from './support/tar-builder.ts';
import { layerBytes, layerTree, mergedTree } from './support/written.ts';

const names = fc.constantFrom('a', 'b', 'c', '\u00ff\u00e9', 'B');
const path = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const attributes = fc.record({
  mode: fc.constantFrom(0o644, 0o755, 0o4755, 0o1777),
  uid: fc.constantFrom(0, 1000, 100_000),
  gid: fc.constantFrom(0, 7),
  mtime: fc.integer({ min: 0, max: 2 ** 31 }),
});

const member: fc.Arbitrary<Member> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(path, attributes, fc.uint8Array({ maxLength: 6000 }))
      .map(([name, rest, data]): Member => ({ name, ...rest, data: Buffer.from(data) })),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(path, attributes).map(([name, rest]): Member => ({ name: `${name}/`, type: '5', ...rest })),
  },
  { weight: 1, arbitrary: fc.tuple(path, attributes).map(([name, rest]): Member => ({ name, type: '6', ...rest })) },
  { weight: 1, arbitrary: fc.tuple(path, path).map(([name, link]): Member => ({ name, type: '1', link })) },
  { weight: 2, arbitrary: path.map((at): Member => ({ name: at.replace(/([^/]*)$/, '.wh.$1') })) },
  { weight: 1, arbitrary: path.map((at): Member => ({ name: `${at}/.wh..wh..opq` })) },
);
const layers = fc.array(fc.array(member, { maxLength: 12 }), { minLength: 1, maxLength: 5 });

describe('written and merged layers', () => {
  it('are what a plain model of layers says, or are refused where it refuses', async function () {
    this.timeout(60_000);
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(layers, async (image) => {
        const expected = outcome(() => modelOf(image));
        const actual = await mergedTree(image.map((members) => archive(members))).then(
          (root) => linesOf(root, walk),
          (error: unknown) => {
            assert.ok(isBoxError(error) && error.code === 'IMAGE_CORRUPT', String(error));
            return 'refused' as const;
          },
        );
        assert.deepEqual(actual, expected);
        if (expected !== 'refused') accepted++;
      }),
      { numRuns: 600 },
    );
    assert.ok(accepted > 100, `only ${accepted} samples were no refusals`);
  });

  it('are the same bytes each time', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(member, { maxLength: 10 }),
        fc.integer({ min: 1, max: 5000 }),
        async (members, pieceSize) => {
          const tar = archive(members);
          const first = await layerBytes(tar).catch(() => undefined);
          const second = await layerBytes(tar, { pieceSize }).catch(() => undefined);
          assert.equal(first === undefined, second === undefined);
          if (first !== undefined && second !== undefined) assert.ok(first.equals(second));
        },
      ),
      { numRuns: 60 },
    ));

  it('keep attributes of any name and value', () => {
    const xattr = fc.tuple(
      fc
        .tuple(fc.constantFrom('user.', 'security.', 'trusted.'), fc.stringMatching(/^[a-z.]{1,200}$/))
        .map((parts) => parts.join('')),
      fc.uint8Array({ maxLength: 5000 }),
    );
    return fc.assert(
      fc.asyncProperty(fc.uniqueArray(xattr, { maxLength: 8, selector: ([name]) => name }), async (xattrs) => {
        const pax = xattrs.map(([name, value]) => [`SCHILY.xattr.${name}`, Buffer.from(value)] as const);
        const wanted = Object.fromEntries(
          xattrs
            .filter(([name]) => !name.startsWith('trusted.overlay.'))
            .map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
        );
        const members: Member[] = [
          { name: 'f', pax },
          { name: 'l', type: '2', link: 'x'.repeat(90), pax },
          { name: 'd/', type: '5', pax },
        ];
        const root = await layerTree(archive(members));
        for (const name of ['f', 'l', 'd']) assert.deepEqual({ ...root.entries.get(name)?.xattrs }, wanted);
      }),
      { numRuns: 60 },
    );
  });
});

describe('damaged archives', () => {
  const sample = archive([
    { name: 'd/', type: '5' },
    {
      name: `d/${'n'.repeat(130)}`,
      data: Buffer.alloc(600, 3),
      pax: [
        ['mtime', '1.5'],
        ['SCHILY.xattr.user.a', 'b'],
      ],
    },
    { name: 'd/l', type: '1', link: `d/${'n'.repeat(130)}` },
    {
      name: 's',
      data: Buffer.from('ab'),
      pax: [
        ['GNU.sparse.size', '9000'],
        ['GNU.sparse.map', '0,1,8000,1'],
      ],
    },
    { name: '.wh.x' },
  ]);

  /** Changes bytes and repairs checksums, so that the damage gets past them. */
  function damaged(changes: readonly (readonly [number, number])[]): Buffer {
    const tar = Buffer.from(sample);
    for (const [at, value] of changes) tar[at % tar.length] = value;
    for (let at = 0; at + 512 <= tar.length; at += 512) {
      if (tar.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
      tar.fill(' ', at + 148, at + 156);
      const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
      tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
    }
    return tar;
  }

  it('are refused with a clear error, or give a sound file system', async function () {
    this.timeout(60_000);
    const change = fc.tuple(
      fc.nat(sample.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(0, 0x2f, 0x2e, 0x37, 0x39, 0x80, 0xff)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3000 }),
        async (changes, pieceSize) => {
          const bytes = await layerBytes(damaged(changes), { pieceSize, maxBytes: 2 ** 26 }).catch((error: unknown) => {
            assert.ok(isBoxError(error) && ['IMAGE_CORRUPT', 'LIMIT_EXCEEDED'].includes(error.code), String(error));
            return undefined;
          });
          if (bytes !== undefined) readErofs(bytes);
        },
      ),
      { numRuns: 1500 },
    );
  });
});

function outcome(model: () => string[]): string[] | 'refused' {
  try {
    return model();
  } catch (error) {
    if (error instanceof Refused) return 'refused';
    throw error;
  }
}
