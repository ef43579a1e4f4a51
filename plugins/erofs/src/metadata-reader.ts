import type { FileHandle } from 'node:fs/promises';
import { crc32c } from './crc32c.js';
import {
  BLOCK,
  BLOCK_BITS,
  CHUNK_BITS_MASK,
  CHUNK_INDEXES,
  DIRENT_SIZE,
  EROFS_MAGIC,
  INCOMPAT_CHUNKED_FILE,
  INODE_SIZE,
  LAYOUT_CHUNK_BASED,
  LAYOUT_FLAT_INLINE,
  LAYOUT_FLAT_PLAIN,
  readUInt64,
  SLOT,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  xattrPrefixOf,
} from './disk-format.js';
import { corrupt } from './fault.js';
import {
  IMPLIED_XATTR,
  Inode,
  LINK_XATTR,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  type FileData,
} from './inode.js';
import { readExactly } from './read-exactly.js';
import type { Xattr } from '@a3s-box/core';

/** The tree of a layer file, without data. */
export interface LayerMetadata {
  readonly root: Inode;
  /** Blocks of the file. */
  readonly blocks: number;
}

/**
 * Reads the metadata of a layer file that `writeLayer` wrote; not EROFS in general.
 * @param device the number that file data is marked with
 * @throws IMAGE_CORRUPT when the file is damaged
 */
export async function readLayerMetadata(file: FileHandle, device: number): Promise<LayerMetadata> {
  const head = await readExactly(file, 0, BLOCK);
  const superblock = head.subarray(SUPERBLOCK_OFFSET);
  const expected = superblock.readUInt32LE(4);
  superblock.writeUInt32LE(0, 4);
  if (superblock.readUInt32LE(0) !== EROFS_MAGIC || crc32c(superblock) !== expected) throw damaged('its superblock');
  const features = superblock.subarray(0, SUPERBLOCK_SIZE).readUInt32LE(80);
  if (superblock[12] !== BLOCK_BITS || (features & ~INCOMPAT_CHUNKED_FILE) !== 0) throw damaged('its features');
  const blocks = superblock.readUInt32LE(36);
  const metaBlock = superblock.readUInt32LE(40);
  if (metaBlock < 1 || metaBlock >= blocks) throw damaged('its metadata area');
  const area = await readExactly(file, metaBlock * BLOCK, (blocks - metaBlock) * BLOCK);
  const root = new TreeReader(area, metaBlock, device).tree(superblock.readUInt16LE(14));
  return { root, blocks };
}

class TreeReader {
  private readonly inodes = new Map<number, Inode>();

  constructor(
    private readonly area: Buffer,
    private readonly metaBlock: number,
    private readonly device: number,
  ) {}

  tree(rootNid: number): Inode {
    const root = this.inode(rootNid);
    if (!root.isDirectory) throw damaged('its root');
    const directories = [{ inode: root, nid: rootNid }];
    for (const { inode, nid } of directories) {
      for (const { name, child } of this.list(nid)) {
        const known = this.inodes.get(child);
        const entry = known ?? this.inode(child);
        if (entry.isDirectory) {
          if (known !== undefined) throw damaged('a directory with two parents');
          directories.push({ inode: entry, nid: child });
        }
        inode.entries?.set(name, entry);
      }
    }
    return root;
  }

  private inode(nid: number): Inode {
    const at = this.check(nid * SLOT, INODE_SIZE);
    const format = this.area.readUInt16LE(at);
    if ((format & 1) !== 1) throw damaged('an inode');
    const mode = this.area.readUInt16LE(at + 4);
    const inode = new Inode(mode);
    this.inodes.set(nid, inode);
    inode.size = inode.type === S_IFDIR ? 0 : readUInt64(this.area, at + 8);
    inode.uid = this.area.readUInt32LE(at + 24);
    inode.gid = this.area.readUInt32LE(at + 28);
    inode.mtime = Number(this.area.readBigInt64LE(at + 32));
    inode.mtimeNanoseconds = this.area.readUInt32LE(at + 40);
    inode.xattrs = this.xattrs(at);
    inode.implied = inode.isDirectory && inode.xattr(IMPLIED_XATTR) !== undefined;
    if (inode.type === S_IFCHR || inode.type === S_IFBLK) inode.device = this.area.readUInt32LE(at + 16);
    if (inode.type === S_IFLNK) inode.target = this.content(at).toString('latin1');
    if (inode.type === S_IFREG) {
      inode.target = inode.xattr(LINK_XATTR)?.toString('latin1') ?? '';
      inode.data = inode.size === 0 ? undefined : this.data(at);
    }
    return inode;
  }

  private *list(nid: number): Generator<{ name: string; child: number }> {
    const content = this.content(nid * SLOT);
    for (let start = 0; start < content.length; start += BLOCK) {
      const block = content.subarray(start, start + BLOCK);
      if (block.length < DIRENT_SIZE) throw damaged('a directory');
      const count = block.readUInt16LE(8) / DIRENT_SIZE;
      if (!Number.isInteger(count) || count < 1 || count * DIRENT_SIZE > block.length) throw damaged('a directory');
      for (let i = 0; i < count; i++) {
        const nameAt = block.readUInt16LE(i * DIRENT_SIZE + 8);
        const nameEnd = i + 1 < count ? block.readUInt16LE((i + 1) * DIRENT_SIZE + 8) : block.length;
        if (nameAt >= nameEnd || nameEnd > block.length) throw damaged('a directory');
        const padded = block.toString('latin1', nameAt, nameEnd);
        const nul = padded.indexOf('\0');
        const name = nul === -1 ? padded : padded.slice(0, nul);
        if (name === '.' || name === '..') continue;
        if (name === '' || name.includes('/')) throw damaged('a name');
        yield { name, child: readUInt64(block, i * DIRENT_SIZE) };
      }
    }
  }

  /** The bytes of a directory or symbolic link. */
  private content(at: number): Buffer {
    const layout = this.area.readUInt16LE(at) >> 1;
    const size = readUInt64(this.area, at + 8);
    const whole = layout === LAYOUT_FLAT_INLINE ? Math.floor(size / BLOCK) * BLOCK : size;
    const start = (this.area.readUInt32LE(at + 16) - this.metaBlock) * BLOCK;
    const blocks = whole === 0 ? Buffer.alloc(0) : this.area.subarray(this.check(start, whole), start + whole);
    if (layout === LAYOUT_FLAT_PLAIN) return blocks;
    if (layout !== LAYOUT_FLAT_INLINE) throw damaged('an inode');
    const tailAt = this.check(at + INODE_SIZE + this.xattrBytes(at), size - whole);
    const tail = this.area.subarray(tailAt, tailAt + size - whole);
    return blocks.length === 0 ? tail : Buffer.concat([blocks, tail]);
  }

  private data(at: number): FileData {
    const layout = this.area.readUInt16LE(at) >> 1;
    const union = this.area.readUInt32LE(at + 16);
    if (layout === LAYOUT_FLAT_PLAIN) return { kind: 'run', device: this.device, block: union };
    if (layout !== LAYOUT_CHUNK_BASED || (union & CHUNK_INDEXES) !== 0) throw damaged('an inode');
    const bits = union & CHUNK_BITS_MASK;
    const count = Math.ceil(readUInt64(this.area, at + 8) / 2 ** (BLOCK_BITS + bits));
    const start = this.check(Math.ceil((at + INODE_SIZE + this.xattrBytes(at)) / 4) * 4, count * 4);
    const blocks = Uint32Array.from({ length: count }, (_, index) => this.area.readUInt32LE(start + 4 * index));
    return { kind: 'chunks', device: this.device, bits, blocks };
  }

  private xattrBytes(at: number): number {
    const count = this.area.readUInt16LE(at + 2);
    return count === 0 ? 0 : 12 + 4 * (count - 1);
  }

  private xattrs(at: number): readonly Xattr[] | undefined {
    const bytes = this.xattrBytes(at);
    if (bytes === 0) return undefined;
    const area = this.area.subarray(this.check(at + INODE_SIZE, bytes), at + INODE_SIZE + bytes);
    const found: Xattr[] = [];
    for (let entry = 12; entry < bytes;) {
      const nameLength = area[entry] as number;
      const prefix = xattrPrefixOf(area[entry + 1] as number);
      const valueAt = entry + 4 + nameLength;
      const end = valueAt + area.readUInt16LE(entry + 2);
      if (prefix === undefined || end > bytes) throw damaged('an extended attribute');
      found.push({
        name: prefix + area.toString('latin1', entry + 4, valueAt),
        value: Buffer.from(area.subarray(valueAt, end)),
      });
      entry = (end + 3) & ~3;
    }
    return found;
  }

  private check(at: number, length: number): number {
    if (!Number.isSafeInteger(at) || at < 0 || at + length > this.area.length) throw damaged('an address');
    return at;
  }
}

function damaged(what: string): Error {
  return corrupt(`a layer's file system is damaged: ${what} is not what it must be`);
}
