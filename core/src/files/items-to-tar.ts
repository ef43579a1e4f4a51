import { BoxError } from '../errors/box-error.js';
import { tarEnd, tarHeader, tarPadding, type TarMember } from '../tar/tar-writer.js';
import type { TarEntryType } from '../tar/tar-entry.js';
import { FileType, type FileEntry, type FileItem } from './file-items.js';

const TYPES: Readonly<Partial<Record<FileType, TarEntryType>>> = {
  [FileType.REGULAR]: 'file',
  [FileType.HARD_LINK]: 'link',
  [FileType.SYMBOLIC_LINK]: 'symlink',
  [FileType.CHARACTER_DEVICE]: 'character-device',
  [FileType.BLOCK_DEVICE]: 'block-device',
  [FileType.DIRECTORY]: 'directory',
  [FileType.FIFO]: 'fifo',
};

/**
 * The items as a tar archive (PAX). Whiteouts and opaque directories become those of OCI layers (image-spec, layer.md).
 * Nothing is kept: what comes goes out.
 * @throws INTERNAL when an entry has more or less data than it said
 */
export async function* itemsToTar(items: AsyncIterable<FileItem>): AsyncGenerator<Buffer, void, void> {
  let name = '';
  /** Bytes of data that are still to come, and what follows them. */
  let left = 0;
  let padding: Buffer = Buffer.alloc(0);
  for await (const { item } of items) {
    if (item?.$case === 'entry') {
      if (left > 0) throw mismatch(name);
      const entry = item.value;
      name = entry.path.toString('latin1');
      left = dataLength(entry);
      padding = tarPadding(left);
      yield headerOf(entry);
    } else if (item?.$case === 'data') {
      left -= item.value.length;
      if (left < 0) throw mismatch(name);
      yield item.value;
      if (left === 0) yield padding;
    }
  }
  if (left > 0) throw mismatch(name);
  yield tarEnd();
}

/** Bytes of data that follow an entry. */
export function dataLength({ type, size, sparse, runs }: FileEntry): number {
  if (type !== FileType.REGULAR) return 0;
  return sparse ? runs.reduce((sum, { length }) => sum + Number(length), 0) : Number(size);
}

function headerOf(entry: FileEntry): Buffer {
  const path = entry.path.toString('latin1');
  if (entry.type === FileType.WHITEOUT) return tarHeader(marker(beside(path, '.wh.')));
  const type = TYPES[entry.type];
  if (type === undefined) throw new BoxError('INTERNAL', `a file of type ${entry.type} cannot be put into an archive`);
  const member: TarMember = {
    type,
    name: path,
    linkName: entry.link.toString('latin1'),
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: Number(entry.size),
    mtime: Number(entry.mtimeSeconds),
    mtimeNanoseconds: entry.mtimeNanoseconds,
    deviceMajor: entry.deviceMajor,
    deviceMinor: entry.deviceMinor,
    xattrs: entry.attributes.map(({ name, value }) => ({ name: name.toString('latin1'), value })),
    ...(entry.sparse && {
      runs: entry.runs.map(({ offset, length }) => ({ offset: Number(offset), length: Number(length) })),
    }),
  };
  const header = tarHeader(member);
  return entry.opaque ? Buffer.concat([header, tarHeader(marker(`${path}/.wh..wh..opq`))]) : header;
}

function marker(name: string): TarMember {
  return { type: 'file', name, mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 };
}

function beside(path: string, prefix: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${prefix}${path.slice(slash)}`;
}

function mismatch(name: string): BoxError {
  const shown = Buffer.from(name, 'latin1').toString();
  return new BoxError('INTERNAL', `file "${shown}" has other data than it was said to have`);
}
