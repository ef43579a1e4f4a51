import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK, type Inode } from './inode.js';
import type { Xattr } from '@a3s-box/core';

/** Bytes of a block; the only size that is written and read here. */
export const BLOCK = 4096;
export const BLOCK_BITS = 12;
export const EROFS_MAGIC = 0xe0f5e1e2;
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_SIZE = 128;
/** Inode addresses count slots of this many bytes. */
export const SLOT = 32;
/** Bytes of an extended inode; compact ones are not written. */
export const INODE_SIZE = 64;
export const DIRENT_SIZE = 12;
export const DEVICE_SLOT = 128;
export const EROFS_NAME_MAX = 255;

export const COMPAT_CHECKSUM = 0x1;
export const COMPAT_MTIME = 0x2;
export const INCOMPAT_CHUNKED_FILE = 0x4;
export const INCOMPAT_DEVICE_TABLE = 0x8;

export const LAYOUT_FLAT_PLAIN = 0;
export const LAYOUT_FLAT_INLINE = 2;
export const LAYOUT_CHUNK_BASED = 4;

/** Set in a chunk format when 8-byte indexes with a device follow, else 4-byte addresses. */
export const CHUNK_INDEXES = 0x20;
export const CHUNK_BITS_MASK = 0x1f;

/** Prefixes that an attribute's name index stands for, longest first. Those of ACLs are whole names. */
const XATTR_PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ['system.posix_acl_default', 3],
  ['system.posix_acl_access', 2],
  ['security.', 6],
  ['trusted.', 4],
  ['user.', 1],
];

/** The prefix under which EROFS can keep an attribute; undefined when it cannot. */
export function xattrPrefix(name: string): string | undefined {
  return XATTR_PREFIXES.find(([prefix]) => (prefix.endsWith('.') ? name.startsWith(prefix) : name === prefix))?.[0];
}

export function xattrPrefixOf(index: number): string | undefined {
  return XATTR_PREFIXES.find(([, candidate]) => candidate === index)?.[0];
}

const FILE_TYPES: Readonly<Record<number, number>> = {
  [S_IFREG]: 1,
  [S_IFDIR]: 2,
  [S_IFCHR]: 3,
  [S_IFBLK]: 4,
  [S_IFIFO]: 5,
  [S_IFSOCK]: 6,
  [S_IFLNK]: 7,
};

/** The type byte of a directory entry. */
export function fileType(inode: Inode): number {
  return FILE_TYPES[inode.type] as number;
}

/** Bytes of the attribute area behind an inode. */
export function xattrSize(xattrs: readonly Xattr[] | undefined): number {
  if (xattrs === undefined || xattrs.length === 0) return 0;
  return xattrs.reduce((sum, xattr) => sum + xattrEntrySize(xattr), 12);
}

function xattrEntrySize({ name, value }: Xattr): number {
  const prefix = xattrPrefix(name) as string;
  return (4 + name.length - prefix.length + value.length + 3) & ~3;
}

/** Encodes the attribute area: a 12-byte header, then entries sorted by name. */
export function encodeXattrs(xattrs: readonly Xattr[]): Buffer {
  const area = Buffer.alloc(xattrSize(xattrs));
  let at = 12;
  for (const xattr of xattrs.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const prefix = xattrPrefix(xattr.name) as string;
    const index = XATTR_PREFIXES.find(([candidate]) => candidate === prefix)?.[1] as number;
    area[at] = xattr.name.length - prefix.length;
    area[at + 1] = index;
    area.writeUInt16LE(xattr.value.length, at + 2);
    area.write(xattr.name.slice(prefix.length), at + 4, 'latin1');
    xattr.value.copy(area, at + 4 + xattr.name.length - prefix.length);
    at += xattrEntrySize(xattr);
  }
  return area;
}

/** Fields of an inode as they lie on disk. */
export interface InodeFields {
  readonly layout: number;
  readonly xattrBytes: number;
  readonly size: number;
  /** Block address, device number, or chunk format. */
  readonly union: number;
  readonly ino: number;
}

/** Encodes an extended inode (struct erofs_inode_extended) at the start of `target`. */
export function encodeInode(inode: Inode, fields: InodeFields, target: Buffer): void {
  target.fill(0, 0, INODE_SIZE);
  target.writeUInt16LE(1 | (fields.layout << 1), 0);
  target.writeUInt16LE(fields.xattrBytes === 0 ? 0 : (fields.xattrBytes - 12) / 4 + 1, 2);
  target.writeUInt16LE(inode.mode, 4);
  writeUInt64(target, fields.size, 8);
  target.writeUInt32LE(fields.union, 16);
  target.writeUInt32LE(fields.ino, 20);
  target.writeUInt32LE(inode.uid, 24);
  target.writeUInt32LE(inode.gid, 28);
  target.writeBigInt64LE(BigInt(inode.mtime), 32);
  target.writeUInt32LE(inode.mtimeNanoseconds, 40);
  target.writeUInt32LE(inode.links, 44);
}

export function writeUInt64(target: Buffer, value: number, offset: number): void {
  target.writeUInt32LE(value >>> 0, offset);
  target.writeUInt32LE(Math.floor(value / 0x100000000), offset + 4);
}

export function readUInt64(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * 0x100000000;
}
