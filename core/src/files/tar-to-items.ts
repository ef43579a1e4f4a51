import { BoxError, isBoxError } from '../errors/box-error.js';
import { printable, type TarEntry, type TarEntryType } from '../tar/tar-entry.js';
import { TarReader } from '../tar/tar-reader.js';
import { dataItem, entryItem, FileType, type FileItem } from './file-items.js';

const TYPES: Readonly<Record<TarEntryType, FileType>> = {
  file: FileType.REGULAR,
  link: FileType.HARD_LINK,
  symlink: FileType.SYMBOLIC_LINK,
  'character-device': FileType.CHARACTER_DEVICE,
  'block-device': FileType.BLOCK_DEVICE,
  directory: FileType.DIRECTORY,
  fifo: FileType.FIFO,
};
/** Bytes that are parsed before what came of them is handed on. */
const PIECE = 64 * 1024;

/**
 * What a tar archive holds. Names that begin with slashes lose them, as other tools take them.
 * @param archive is read to its end; not compressed
 * @throws INVALID_ARGUMENT for one that is damaged, cut off, no archive, or leads upwards
 */
export async function* tarToItems(archive: AsyncIterable<Uint8Array>): AsyncGenerator<FileItem, void, void> {
  let found: FileItem[] = [];
  const reader = new TarReader({
    entry: (entry) => void found.push(itemOf(entry)),
    data: (bytes) => void found.push(dataItem(Buffer.from(bytes))),
    entryEnd: () => {},
    frame: () => {},
  });
  try {
    for await (const chunk of archive) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      for (let at = 0; at < bytes.length; at += PIECE) {
        reader.push(bytes.subarray(at, at + PIECE));
        yield* found;
        found = [];
      }
    }
    reader.end(false);
  } catch (error) {
    if (!isBoxError(error) || error.code !== 'IMAGE_CORRUPT') throw error;
    throw new BoxError('INVALID_ARGUMENT', error.message, {
      hint: 'give a tar archive that is not compressed and not cut off',
      cause: error,
    });
  }
}

function itemOf(entry: TarEntry): FileItem {
  return entryItem({
    path: pathOf(entry.name),
    type: TYPES[entry.type],
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    mtimeSeconds: BigInt(entry.mtime),
    mtimeNanoseconds: entry.mtimeNanoseconds,
    size: BigInt(entry.size),
    link: entry.type === 'link' ? pathOf(entry.linkName) : Buffer.from(entry.linkName, 'latin1'),
    deviceMajor: entry.deviceMajor,
    deviceMinor: entry.deviceMinor,
    attributes: entry.xattrs
      .filter(({ name }) => !name.startsWith('trusted.overlay.'))
      .map(({ name, value }) => ({ name: Buffer.from(name, 'latin1'), value })),
    sparse: entry.runs !== undefined,
    runs: (entry.runs ?? [])
      .filter(({ length }) => length > 0)
      .map(({ offset, length }) => ({ offset: BigInt(offset), length: BigInt(length) })),
  });
}

function pathOf(name: string): Buffer {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0')) {
    throw new BoxError('INVALID_ARGUMENT', `the archive has a path that leads upwards: "${printable(name)}"`);
  }
  return Buffer.from(parts.join('/') || '.', 'latin1');
}
