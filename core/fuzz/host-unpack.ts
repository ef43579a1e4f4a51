/**
 * Whatever entries a guest sends, what is unpacked on the host stays in its directory: nothing beside it changes, and no
 * link is followed. Refusals are clear errors.
 *
 * Input: the agent's message `FileItems`, as it comes from a guest.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBoxError } from '../dist/index.js';
import { dataItem, decodeItems, entryItem, FileType, type FileEntry, type FileItem } from '../dist/files/file-items.js';
import { unpackToHost } from '../dist/files/host-unpack.js';
import { FileItems } from '../dist/gen/a3s/box/agent/v1/files.js';

const REFUSALS = ['INVALID_ARGUMENT', 'CONFLICT', 'UNSUPPORTED', 'LIMIT_EXCEEDED', 'PERMISSION_DENIED', 'NOT_FOUND'];
/** Of files: nobody fills a disk here. */
const MOST_BYTES = 1n << 20n;
const SECRET = 'untouched';

export const dictionary = ['..', '../', './', '/', '../outside', 'link/', 'link/outside', '.', '\0'];

/** It takes the text of a symbolic link, which nothing here follows, for a path. What is beside the target is looked at below. */
export const disabledDetectors = ['path-traversal'];

export function* seeds(): Generator<readonly [name: string, input: Buffer]> {
  const entry = (path: string, type: FileType, more: Partial<FileEntry> = {}): FileItem =>
    entryItem({ path: Buffer.from(path), type, mode: 0o644, ...more });
  const file = (path: string, text: string): FileItem[] => [
    entry(path, FileType.REGULAR, { size: BigInt(text.length) }),
    dataItem(Buffer.from(text)),
  ];
  const up = entry('link', FileType.SYMBOLIC_LINK, { link: Buffer.from('..') });
  const holes = { sparse: true, size: 9000n, runs: [{ offset: 4000n, length: 5n }] };
  const samples: Record<string, FileItem[]> = {
    tree: [
      entry('a', FileType.DIRECTORY),
      ...file('a/b', 'text'),
      entry('a/c', FileType.HARD_LINK, { link: Buffer.from('a/b') }),
    ],
    upwards: file('../outside', 'x'),
    'through-a-link': [up, ...file('link/outside', 'x')],
    'link-to-a-link': [up, entry('again', FileType.HARD_LINK, { link: Buffer.from('link/outside') })],
    sparse: [entry('holes', FileType.REGULAR, holes), dataItem(Buffer.from('12345'))],
    contents: [entry('.', FileType.DIRECTORY), ...file('x', '1'), ...file('x', '2')],
  };
  for (const [name, items] of Object.entries(samples)) yield [name, Buffer.from(FileItems.encode({ items }).finish())];
}

export async function fuzz(input: Buffer): Promise<void> {
  const items = decoded(input);
  if (items === undefined) return;
  const home = fs.mkdtempSync(join(tmpdir(), 'unpack-'));
  const target = join(home, 'target');
  fs.mkdirSync(target);
  fs.writeFileSync(join(home, 'outside'), SECRET);
  fs.mkdirSync(join(home, 'elsewhere'));
  fs.symlinkSync('../elsewhere', join(target, 'kept'));
  const before = fs.lstatSync(join(home, 'outside'));
  try {
    await unpackToHost(items, target, { keepOwners: false });
  } catch (error) {
    assert.ok(isBoxError(error) && REFUSALS.includes(error.code), String(error));
  } finally {
    const after = fs.lstatSync(join(home, 'outside'));
    assert.equal(fs.readFileSync(join(home, 'outside'), 'utf8'), SECRET);
    assert.deepEqual([after.mode, after.nlink, after.mtimeMs], [before.mode, before.nlink, before.mtimeMs]);
    assert.deepEqual(fs.readdirSync(home).sort(), ['elsewhere', 'outside', 'target']);
    assert.deepEqual(fs.readdirSync(join(home, 'elsewhere')), []);
    fs.rmSync(home, { recursive: true, force: true });
  }
}

/** The items of a message, without fifos, which cost a process each; nothing for what is no message. */
function decoded(input: Buffer): AsyncIterable<FileItem> | undefined {
  let items: FileItem[];
  try {
    ({ items } = FileItems.decode(input));
  } catch {
    return undefined;
  }
  const cheap = items.filter(({ item }) => item?.$case !== 'entry' || item.value.type !== FileType.FIFO);
  // What cannot be gone into cannot be removed.
  for (const { item } of cheap) if (item?.$case === 'entry') item.value.mode = (item.value.mode & 0o7777) | 0o700;
  if (cheap.some(({ item }) => item?.$case === 'entry' && item.value.size > MOST_BYTES)) return undefined;
  return decodeItems(once(Buffer.from(FileItems.encode({ items: cheap }).finish())));
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
