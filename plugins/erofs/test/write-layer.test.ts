import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { walk } from './support/erofs-reader.ts';
import {
  archive,
  extension,
  header,
  octal,
  padding,
  paxPayload,
  withChecksum,
  type Member,
} from './support/tar-builder.ts';
import { layerBytes, layerTree, scratch, writeTo } from './support/written.ts';
import { join } from 'node:path';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const refusal = (message: RegExp) => ({ code: 'IMAGE_CORRUPT', message });

describe('writeLayer', () => {
  it('keeps type, mode, owner, time and content of every kind of file', async () => {
    const root = await layerTree(
      archive([
        { name: './', type: '5', mode: 0o750, uid: 1, gid: 2, mtime: 99 },
        { name: 'file', data: text('hello'), mode: 0o4755, uid: 70_000, gid: 80_000, mtime: 5 },
        { name: 'empty', mode: 0o600 },
        { name: 'link', type: '2', link: 'file' },
        { name: 'char', type: '3', mode: 0o666, major: 300, minor: 70_000 },
        { name: 'block', type: '4', major: 8, minor: 1 },
        { name: 'fifo', type: '6', mode: 0o622 },
        { name: 'dir/', type: '5', mode: 0o1777 },
      ]),
    );
    assert.equal(root.mode, 0o40750);
    assert.deepEqual([root.uid, root.gid, root.mtime], [1, 2, 99n]);
    const at = (name: string) => root.entries.get(name);
    assert.equal(at('file')?.mode, 0o104755);
    assert.deepEqual([at('file')?.uid, at('file')?.gid, at('file')?.mtime], [70_000, 80_000, 5n]);
    assert.equal(at('file')?.content.toString(), 'hello');
    assert.equal(at('empty')?.size, 0);
    assert.equal(at('link')?.content.toString(), 'file');
    assert.equal(at('char')?.mode, 0o20666);
    assert.equal(at('char')?.rdev, (70_000 & 0xff) | (300 << 8) | ((70_000 & ~0xff) << 12));
    assert.equal(at('block')?.rdev, 0x801);
    assert.equal(at('fifo')?.mode, 0o10622);
    assert.equal(at('dir')?.mode, 0o41777);
  });

  it('gives the same bytes for the same archive, however it is cut', async () => {
    const tar = archive(Array.from({ length: 50 }, (_, i) => ({ name: `d/f${i}`, data: Buffer.alloc(i * 300, i) })));
    const whole = await layerBytes(tar);
    for (const pieceSize of [1, 511, 513, 4096]) assert.ok(whole.equals(await layerBytes(tar, { pieceSize })));
  });

  it('keeps names that are long or no UTF-8, from PAX, GNU and ustar headers', async () => {
    const long = `${'d'.repeat(200)}/${'\u00ff\u00fe'.repeat(127)}`;
    const gnu = `${'g'.repeat(150)}/${'h'.repeat(255)}`;
    const ustar = header({ name: 'tail' }, 0);
    ustar.write('pre/fix', 345, 'latin1');
    const tar = Buffer.concat([
      archive([{ name: long, data: text('1') }], false),
      extension('L', text(`${gnu}\0`)),
      archive([{ name: 'x', data: text('2') }], false),
      withChecksum(ustar),
      Buffer.alloc(1024),
    ]);
    const paths = new Set([...walk(await layerTree(tar))].map(([path]) => path));
    for (const path of [long, gnu, 'pre/fix/tail']) assert.ok(paths.has(path), path.slice(0, 20));
  });

  it('applies PAX records: size, owner, times with nanoseconds before and after 1970', async () => {
    const data = text('12345');
    const root = await layerTree(
      archive([
        {
          name: 'a',
          data,
          size: 0,
          pax: [
            ['size', '5'],
            ['uid', '3000000000'],
            ['gid', '7'],
            ['mtime', '12.000000345'],
          ],
        },
        { name: 'b', pax: [['mtime', '-1.25']] },
        { name: 'c', mtime: -7 },
      ]),
    );
    const a = root.entries.get('a');
    assert.deepEqual([a?.size, a?.uid, a?.gid, a?.mtime, a?.nanoseconds], [5, 3_000_000_000, 7, 12n, 345]);
    assert.deepEqual([root.entries.get('b')?.mtime, root.entries.get('b')?.nanoseconds], [-2n, 750_000_000]);
    assert.equal(root.entries.get('c')?.mtime, -7n);
  });

  it('keeps extended attributes as bytes, and says which it cannot keep', async () => {
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    await using place = await scratch();
    const tar = archive([
      {
        name: 'a',
        pax: [
          ['SCHILY.xattr.security.capability', capability],
          ['SCHILY.xattr.user.empty', ''],
          ['LIBARCHIVE.xattr.user.base%2e64', Buffer.from('//4K').toString()],
          ['SCHILY.xattr.com.apple.quarantine', 'x'],
          ['SCHILY.xattr.trusted.overlay.opaque', 'y'],
          ['SCHILY.xattr.system.posix_acl_access', Buffer.from([2, 0, 0, 0])],
        ],
      },
    ]);
    const written = await writeTo(join(place.directory, 'layer'), tar);
    assert.equal(written.warnings.length, 2);
    assert.deepEqual((await layerTree(tar)).entries.get('a')?.xattrs, {
      'security.capability': capability.toString('hex'),
      'user.empty': '',
      'user.base.64': 'fffe0a',
      'system.posix_acl_access': '02000000',
    });
  });

  it('shares inodes between hard links, also after the first name is gone', async () => {
    const root = await layerTree(
      archive([
        { name: 'a', data: text('x') },
        { name: 'b', type: '1', link: './a' },
        { name: 'c', type: '1', link: 'b' },
        { name: 'a', data: text('new') },
      ]),
    );
    assert.equal(root.entries.get('b')?.nid, root.entries.get('c')?.nid);
    assert.equal(root.entries.get('b')?.links, 2);
    assert.equal(root.entries.get('b')?.content.toString(), 'x');
    assert.equal(root.entries.get('a')?.content.toString(), 'new');
  });

  it('lets later entries replace earlier ones', async () => {
    const root = await layerTree(
      archive([
        { name: 'd/', type: '5', mode: 0o700 },
        { name: 'd/kept' },
        { name: 'd/', type: '5', mode: 0o711 },
        { name: 'e/', type: '5' },
        { name: 'e/lost' },
        { name: 'e', type: '2', link: 'd' },
      ]),
    );
    assert.equal(root.entries.get('d')?.mode, 0o40711);
    assert.ok(root.entries.get('d')?.entries.has('kept'));
    assert.equal(root.entries.get('e')?.content.toString(), 'd');
  });

  it('turns whiteouts into those of overlayfs, wherever they stand', async () => {
    const root = await layerTree(
      archive([
        { name: '.wh.gone' },
        { name: 'both' },
        { name: '.wh.both' },
        { name: 'dir/', type: '5' },
        { name: '.wh.dir' },
        { name: 'opaque/.wh..wh..opq' },
        { name: 'opaque/', type: '5', mode: 0o700 },
      ]),
    );
    assert.deepEqual([root.entries.get('gone')?.mode, root.entries.get('gone')?.rdev], [0o20000, 0]);
    assert.equal(root.entries.get('both')?.mode, 0o100644);
    for (const name of ['dir', 'opaque']) assert.equal(root.entries.get(name)?.xattrs['trusted.overlay.opaque'], '79');
    assert.equal(root.entries.get('opaque')?.mode, 0o40700);
  });

  it('keeps big directories in order, over many blocks', async () => {
    const names = Array.from({ length: 5000 }, (_, i) => `${'n'.repeat(i % 200)}${i}`);
    const root = await layerTree(archive(names.map((name) => ({ name: `big/${name}` }))));
    assert.deepEqual([...(root.entries.get('big')?.entries.keys() ?? [])], [...names].sort());
  });

  it('keeps symbolic links of every length', async () => {
    const lengths = [1, 59, 100, 1000, 3000, 4031, 4032, 4033, 4094, 4095];
    const root = await layerTree(archive(lengths.map((n) => ({ name: `l${n}`, type: '2', link: 'x'.repeat(n) }))));
    for (const n of lengths) assert.equal(root.entries.get(`l${n}`)?.content.toString(), 'x'.repeat(n));
  });

  describe('sparse files', () => {
    const runs = [
      [4096, text('abc')],
      [1_000_000, Buffer.alloc(5000, 7)],
      [3_000_000, text('end')],
    ] as const;
    const size = 3_100_000;
    const expected = Buffer.alloc(size);
    for (const [offset, bytes] of runs) bytes.copy(expected, offset);
    const stored = Buffer.concat(runs.map(([, bytes]) => bytes));
    const numbers = runs.flatMap(([offset, bytes]) => [offset, bytes.length]);
    const lead = text(`${runs.length}\n${numbers.join('\n')}\n`);
    const leading = Buffer.concat([lead, padding(lead.length), stored]);
    const formats: Record<string, Buffer> = {
      'PAX 0.0': archive([
        {
          name: 'f',
          data: stored,
          pax: [
            ['GNU.sparse.size', String(size)],
            ['GNU.sparse.numblocks', '3'],
            ...numbers.map((n, i) => [i % 2 ? 'GNU.sparse.numbytes' : 'GNU.sparse.offset', String(n)] as const),
          ],
        },
      ]),
      'PAX 0.1': archive([
        {
          name: 'GNUSparseFile.1/f',
          data: stored,
          pax: [
            ['GNU.sparse.size', String(size)],
            ['GNU.sparse.map', numbers.join(',')],
            ['GNU.sparse.name', 'f'],
          ],
        },
      ]),
      'PAX 1.0': archive([
        {
          name: 'GNUSparseFile.1/f',
          data: leading,
          pax: [
            ['GNU.sparse.major', '1'],
            ['GNU.sparse.minor', '0'],
            ['GNU.sparse.name', 'f'],
            ['GNU.sparse.realsize', String(size)],
          ],
        },
      ]),
      'old GNU': Buffer.concat([oldGnu(numbers, stored, size), Buffer.alloc(1024)]),
    };
    for (const [name, tar] of Object.entries(formats)) {
      it(`are read from ${name} and keep their holes`, async () => {
        for (const pieceSize of [100, 65_536]) {
          const bytes = await layerBytes(tar, { pieceSize });
          assert.ok(bytes.length < 60_000);
        }
        const file = (await layerTree(tar)).entries.get('f');
        assert.equal(file?.size, size);
        assert.ok(file?.content.equals(expected));
        assert.ok((file?.holes ?? 0) > 700);
      });
    }

    it('of a terabyte take little', async () => {
      const tar = archive([
        {
          name: 'f',
          data: text('x'),
          pax: [
            ['GNU.sparse.size', String(2 ** 40)],
            ['GNU.sparse.map', `${2 ** 39},1`],
          ],
        },
      ]);
      await using place = await scratch();
      const path = join(place.directory, 'layer');
      const { bytes } = await writeTo(path, tar);
      assert.ok(bytes < 2 ** 28);
    });
  });

  describe('refuses', () => {
    const cases: readonly (readonly [what: string, members: readonly Member[], message: RegExp])[] = [
      ['a path that leads upwards', [{ name: 'a/../../x' }], /leads upwards/],
      ['an absolute path', [{ name: '/etc/passwd' }], /absolute path/],
      ['a hard link that leads upwards', [{ name: 'a', type: '1', link: '../x' }], /leads upwards/],
      [
        'an entry below a symbolic link',
        [{ name: 'a', type: '2', link: '/etc' }, { name: 'a/passwd' }],
        /symbolic link/,
      ],
      ['an entry below a file', [{ name: 'a' }, { name: 'a/b' }], /no directory/],
      [
        'a hard link to a directory',
        [
          { name: 'a/', type: '5' },
          { name: 'b', type: '1', link: 'a' },
        ],
        /to a directory/,
      ],
      ['a name of more than 255 bytes', [{ name: 'x'.repeat(256) }], /256 bytes/],
      ['a symbolic link without target', [{ name: 'a', type: '2' }], /unusable target/],
      ['an unknown type', [{ name: 'a', type: 'Z' }], /unsupported type/],
      ['a whiteout of nothing', [{ name: '.wh.' }], /whiteout of nothing/],
      ['a whiteout of the parent', [{ name: 'd/.wh...' }], /whiteout of nothing/],
      ['a PAX record of wrong length', [{ name: 'a', type: 'x', data: text('99 path=a\n') }], /wrong length/],
      ['a name without bytes', [{ name: '' }], /without a name/],
      ['a global PAX header that renames', [{ name: 'g', type: 'g', data: paxPayload([['path', 'x']]) }], /global/],
      [
        'a sparse map beyond the size',
        [
          {
            name: 'a',
            data: text('x'),
            pax: [
              ['GNU.sparse.size', '1'],
              ['GNU.sparse.map', '1,1'],
            ],
          },
        ],
        /does not fit/,
      ],
    ];
    for (const [what, members, message] of cases) {
      it(what, () => assert.rejects(layerBytes(archive(members)), refusal(message)));
    }

    it('an archive that is cut anywhere', async () => {
      const tar = archive([{ name: 'n'.repeat(120), data: Buffer.alloc(700, 1) }], false);
      for (let cut = 1; cut < tar.length; cut += 97) {
        await assert.rejects(layerBytes(tar.subarray(0, cut)), refusal(/cut off|checksum|end/));
      }
      await assert.rejects(layerBytes(tar, { requireEndMark: true }), refusal(/end mark/));
    });

    it('a damaged header', () => {
      const tar = archive([{ name: 'a', data: text('x') }]);
      tar[3] = 0x41;
      return assert.rejects(layerBytes(tar), refusal(/checksum/));
    });

    it('more entries and more bytes than allowed', async () => {
      const tar = archive(Array.from({ length: 11 }, (_, i) => ({ name: `f${i}`, data: Buffer.alloc(10_000) })));
      await assert.rejects(layerBytes(tar, { maxEntries: 10 }), { code: 'LIMIT_EXCEEDED' });
      await assert.rejects(layerBytes(tar, { maxBytes: 100_000 }), { code: 'LIMIT_EXCEEDED' });
    });
  });

  it('ends at once when it is cancelled', async () => {
    const cancel = new AbortController();
    cancel.abort();
    await assert.rejects(layerBytes(archive([{ name: 'a' }]), { signal: cancel.signal }), { name: 'AbortError' });
  });

  it("tells where the archive's bytes went, so that it can be made again", async () => {
    const tar = archive([
      { name: 'a', data: Buffer.alloc(10_000, 1) },
      { name: '.wh.x', data: text('ignored') },
      {
        name: 's',
        data: text('abc'),
        pax: [
          ['GNU.sparse.size', '90000'],
          ['GNU.sparse.map', '0,1,80000,2'],
        ],
      },
    ]);
    const parts: (Buffer | { position: number; length: number })[] = [];
    const bytes = await layerBytes(tar, {
      recorder: {
        frame: (frame) => void parts.push(Buffer.from(frame)),
        stored: (position, length) => void parts.push({ position, length }),
      },
    });
    const again = parts.map((part) =>
      Buffer.isBuffer(part) ? part : bytes.subarray(part.position, part.position + part.length),
    );
    assert.ok(Buffer.concat(again).equals(tar));
    assert.ok(parts.some((part) => !Buffer.isBuffer(part) && part.length > 5000));
  });
});

function oldGnu(numbers: readonly number[], stored: Buffer, size: number): Buffer {
  const block = header({ name: 'f', type: 'S' }, stored.length);
  block.write('ustar  \0', 257, 'latin1');
  block.fill(0, 329, 512);
  // One run in the header, the others in an extension block.
  numbers.slice(0, 2).forEach((n, i) => octal(block, n, 386 + 12 * i, 12));
  block[482] = 1;
  octal(block, size, 483, 12);
  const more = Buffer.alloc(512);
  numbers.slice(2).forEach((n, i) => octal(more, n, 12 * i, 12));
  return Buffer.concat([withChecksum(block), more, stored, padding(stored.length)]);
}
