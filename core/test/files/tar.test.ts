import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { entryItem, dataItem, FileType, type FileItem } from '../../dist/files/file-items.js';
import { itemsToTar } from '../../dist/files/items-to-tar.js';
import { tarToItems } from '../../dist/files/tar-to-items.js';

async function* stream<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

async function tarOf(items: readonly FileItem[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(itemsToTar(stream(items))));
}

const itemsOf = (tar: Buffer) => Array.fromAsync(tarToItems(stream([tar])));

/** Entries with all their data, however it was cut. */
function joined(items: readonly FileItem[]): { entry: object; data: Buffer }[] {
  const files: { entry: object; data: Buffer }[] = [];
  for (const { item } of items) {
    if (item?.$case === 'entry') files.push({ entry: item.value, data: Buffer.alloc(0) });
    else if (item?.$case === 'data') files.at(-1)!.data = Buffer.concat([files.at(-1)!.data, item.value]);
  }
  return files;
}

const name = fc
  .uint8Array({ minLength: 1, maxLength: 120 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f || byte === 0x2e ? 0x78 : byte))));
const path = fc
  .array(name, { minLength: 1, maxLength: 3 })
  .map((parts) => Buffer.concat(parts.flatMap((part, index) => (index ? [Buffer.from('/'), part] : [part]))));
const attributes = fc.uniqueArray(
  fc.record({
    name: fc.stringMatching(/^user\.[a-z. -]{1,20}$/).map((text) => Buffer.from(text)),
    value: fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 3, selector: ({ name: key }) => key.toString() },
);
const common = {
  path,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  gid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  mtimeSeconds: fc.bigInt({ min: -(2n ** 33n), max: 2n ** 40n }),
  mtimeNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  attributes,
};
const file = fc
  .record({ ...common, data: fc.uint8Array({ maxLength: 2000 }) })
  .map(({ data, ...entry }) => [
    entryItem({ ...entry, type: FileType.REGULAR, size: BigInt(data.length) }),
    ...(data.length > 0 ? [dataItem(Buffer.from(data))] : []),
  ]);
const other = fc
  .record({ ...common, type: fc.constantFrom(FileType.DIRECTORY, FileType.FIFO) })
  .map((entry) => [entryItem(entry)]);
const link = fc
  .record({ ...common, link: path })
  .map((entry) => [entryItem({ ...entry, type: FileType.SYMBOLIC_LINK })]);
const device = fc
  .record({
    ...common,
    deviceMajor: fc.integer({ min: 0, max: 4095 }),
    deviceMinor: fc.integer({ min: 0, max: 2 ** 20 - 1 }),
  })
  .map((entry) => [entryItem({ ...entry, type: FileType.CHARACTER_DEVICE })]);
const sparse = fc
  .record({
    ...common,
    gaps: fc.array(fc.tuple(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 1, max: 900 })), {
      minLength: 1,
      maxLength: 5,
    }),
  })
  .map(({ gaps, ...entry }) => {
    const runs: { offset: bigint; length: bigint }[] = [];
    let at = 0;
    for (const [gap, length] of gaps) {
      runs.push({ offset: BigInt(at + gap), length: BigInt(length) });
      at += gap + length;
    }
    const stored = gaps.reduce((sum, [, length]) => sum + length, 0);
    const described = entryItem({ ...entry, type: FileType.REGULAR, sparse: true, runs, size: BigInt(at + 77) });
    return [described, dataItem(Buffer.alloc(stored, 7))];
  });

describe('files in an archive', () => {
  it('come out as they went in', async () => {
    const any = fc.array(fc.oneof(file, other, link, device, sparse), { maxLength: 6 }).map((items) => items.flat());
    await fc.assert(
      fc.asyncProperty(any, async (items) => {
        assert.deepEqual(joined(await itemsOf(await tarOf(items))), joined(items));
      }),
      { numRuns: 200 },
    );
  });

  it('are read by other tools', async () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(200)}`;
    const tar = await tarOf([
      entryItem({ path: Buffer.from('d'), type: FileType.DIRECTORY, mode: 0o755 }),
      entryItem({ path: Buffer.from(long), type: FileType.REGULAR, mode: 0o600, uid: 4_000_000_000, size: 3n }),
      dataItem(Buffer.from('abc')),
      entryItem({ path: Buffer.from('again'), type: FileType.HARD_LINK, link: Buffer.from(long) }),
      entryItem({
        path: Buffer.from('holes'),
        type: FileType.REGULAR,
        sparse: true,
        size: 1_000_000n,
        runs: [{ offset: 500_000n, length: 2n }],
      }),
      dataItem(Buffer.from('hi')),
    ]);
    const listed = execFileSync('tar', ['tvn', '--numeric-owner'], { input: tar, encoding: 'utf8' });
    assert.match(listed, new RegExp(`4000000000/0 +3 .* ${long}$`, 'm'));
    assert.match(listed, /again link to d/);
    assert.match(listed, / 1000000 .* holes$/m);
    const directory = mkdtempSync(join(tmpdir(), 'tar-'));
    execFileSync('tar', ['x', 'holes'], { input: tar, cwd: directory });
    const content = readFileSync(join(directory, 'holes'));
    rmSync(directory, { recursive: true });
    assert.equal(content.length, 1_000_000);
    assert.equal(content.toString('latin1', 500_000, 500_002), 'hi');
  });

  it('of a layer have the marks of OCI', async () => {
    const tar = await tarOf([
      entryItem({ path: Buffer.from('a/gone'), type: FileType.WHITEOUT }),
      entryItem({ path: Buffer.from('new'), type: FileType.DIRECTORY, opaque: true, mode: 0o755 }),
    ]);
    const listed = execFileSync('tar', ['t'], { input: tar, encoding: 'utf8' });
    assert.equal(listed, 'a/.wh.gone\nnew/\nnew/.wh..wh..opq\n');
  });

  it('lead nowhere upwards', async () => {
    for (const wrong of ['../a', 'a/../../b']) {
      const tar = await tarOf([entryItem({ path: Buffer.from(wrong), type: FileType.FIFO })]);
      await assert.rejects(itemsOf(tar), { code: 'INVALID_ARGUMENT' });
    }
    const [absolute] = joined(
      await itemsOf(await tarOf([entryItem({ path: Buffer.from('/etc/x'), type: FileType.FIFO })])),
    );
    assert.equal((absolute!.entry as { path: Buffer }).path.toString(), 'etc/x');
  });

  it('of a damaged archive are refused', async () => {
    const tar = await tarOf([
      entryItem({ path: Buffer.from('a'), type: FileType.REGULAR, size: 600n }),
      dataItem(Buffer.alloc(600)),
    ]);
    await assert.rejects(itemsOf(tar.subarray(0, 700)), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(itemsOf(Buffer.alloc(2000, 'x')), { code: 'INVALID_ARGUMENT' });
  });

  it('have the data that they were said to have', async () => {
    const entry = entryItem({ path: Buffer.from('a'), type: FileType.REGULAR, size: 3n });
    await assert.rejects(tarOf([entry, dataItem(Buffer.alloc(4))]), { code: 'INTERNAL' });
    await assert.rejects(tarOf([entry, dataItem(Buffer.alloc(2))]), { code: 'INTERNAL' });
  });
});
