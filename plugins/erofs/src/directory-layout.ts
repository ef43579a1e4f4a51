import { BLOCK, DIRENT_SIZE, fileType, writeUInt64 } from './disk-format.js';
import type { Inode } from './inode.js';

/** How a directory's entries are spread over blocks. */
export interface DirectoryLayout {
  /** All names with `.` and `..`, sorted by bytes. */
  readonly names: readonly string[];
  /** Index of the first name of each block. */
  readonly starts: readonly number[];
  /** Bytes of the directory: whole blocks and what the last one needs. */
  readonly size: number;
}

/** Fills blocks with entries in order; an entry never spans two. */
export function layOutDirectory(entries: ReadonlyMap<string, Inode>): DirectoryLayout {
  const names = ['.', '..', ...entries.keys()].sort();
  const starts = [0];
  let used = 0;
  names.forEach((name, index) => {
    const need = DIRENT_SIZE + name.length;
    if (used + need > BLOCK) {
      starts.push(index);
      used = 0;
    }
    used += need;
  });
  return { names, starts, size: (starts.length - 1) * BLOCK + used };
}

/**
 * Encodes one block of a directory: the entries (struct erofs_dirent), then their names.
 * @returns the used bytes, a whole block for all but the last
 */
export function encodeDirectoryBlock(layout: DirectoryLayout, index: number, directory: Inode, parent: Inode): Buffer {
  const first = layout.starts[index] as number;
  const end = layout.starts[index + 1] ?? layout.names.length;
  const last = index === layout.starts.length - 1;
  const block = Buffer.alloc(last ? layout.size - index * BLOCK : BLOCK);
  let nameAt = (end - first) * DIRENT_SIZE;
  for (let i = first; i < end; i++) {
    const name = layout.names[i] as string;
    const inode = name === '.' ? directory : name === '..' ? parent : (directory.entries?.get(name) as Inode);
    const at = (i - first) * DIRENT_SIZE;
    writeUInt64(block, inode.nid, at);
    block.writeUInt16LE(nameAt, at + 8);
    block[at + 10] = fileType(inode);
    nameAt += block.write(name, nameAt, 'latin1');
  }
  return block;
}
