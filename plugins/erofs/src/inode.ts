import type { Xattr } from '@a3s-box/core';

/** File type bits of a mode. */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
export const S_IFIFO = 0o010000;
export const S_IFSOCK = 0o140000;

/** Overlayfs marks a directory that hides what lies below it with this attribute, value `y`. */
export const OPAQUE_XATTR = 'trusted.overlay.opaque';
/** On a directory that the layer only implies: its owner, mode and times are those of the directory below, if any. */
export const IMPLIED_XATTR = 'trusted.overlay.a3s.implied';
/** On an empty file that stands for a hard link to a file of a lower layer; the value is its path, without a leading slash. */
export const LINK_XATTR = 'trusted.overlay.a3s.link';

/** Where a file's bytes lie. Addresses count blocks of 4096 bytes within the device. */
export type FileData =
  /** One run of blocks. */
  | { readonly kind: 'run'; readonly device: number; readonly block: number }
  /** One address per chunk of `4096 << bits` bytes; {@link HOLE} for a chunk of zeros. */
  | { readonly kind: 'chunks'; readonly device: number; readonly bits: number; readonly blocks: Uint32Array };

export const HOLE = 0xffffffff;

/** One inode of a tree in memory. Strings hold one byte per character. */
export class Inode {
  uid = 0;
  gid = 0;
  /** Seconds since the epoch; may be negative. */
  mtime = 0;
  mtimeNanoseconds = 0;
  size = 0;
  data: FileData | undefined = undefined;
  /** Directories only. */
  entries: Map<string, Inode> | undefined = undefined;
  /** Symbolic links: the target. Links to a lower layer: its path. */
  target = '';
  /** Devices only, in the kernel's encoding (new_encode_dev). */
  device = 0;
  xattrs: readonly Xattr[] | undefined = undefined;
  /** Directories that no entry of the archive names. */
  implied = false;
  /** Set while the tree is written. */
  nid = 0;
  links = 0;

  constructor(public mode: number) {
    if ((mode & S_IFMT) === S_IFDIR) this.entries = new Map();
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  get isDirectory(): boolean {
    return this.entries !== undefined;
  }

  get isWhiteout(): boolean {
    return this.type === S_IFCHR && this.device === 0;
  }

  get isOpaque(): boolean {
    return this.xattr(OPAQUE_XATTR)?.toString('latin1') === 'y';
  }

  xattr(name: string): Buffer | undefined {
    return this.xattrs?.find((candidate) => candidate.name === name)?.value;
  }
}

/** Encodes a device number as EROFS and the kernel do. */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

/** The numbers of a device that was encoded so. */
export function decodeDevice(device: number): [major: number, minor: number] {
  return [(device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00)];
}
