import { corrupt, limitExceeded } from './fault.js';
import {
  encodeDevice,
  Inode,
  LINK_XATTR,
  OPAQUE_XATTR,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
} from './inode.js';
import { printable, type TarEntry, type Xattr } from '@a3s-box/core';
import { EROFS_NAME_MAX, xattrPrefix } from './disk-format.js';

const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_WHITEOUT = '.wh..wh..opq';
const OPAQUE: Xattr = { name: OPAQUE_XATTR, value: Buffer.from('y') };
/** Linux's PATH_MAX less the root's slash; what is longer cannot be opened by its path. */
const MAX_PATH = 4095;
const MAX_XATTR_BYTES = 64 * 1024;

/** Linux refuses to follow longer targets. */
const MAX_TARGET = 4095;

export interface LayerTreeOptions {
  /** Most entries that an archive may have. */
  readonly maxEntries: number;
}

/**
 * The tree that one layer archive describes (OCI image-spec, layer.md). Whiteouts become overlayfs's: a character
 * device 0/0 in place of what is hidden, and an attribute on opaque directories. They speak of the layers below only,
 * wherever they stand in the archive. Later entries replace earlier ones.
 *
 * Paths never leave the tree: absolute ones and `..` are refused, and so is an entry below something that the same
 * archive made and that is no directory, a symbolic link included.
 */
export class LayerTree {
  readonly root = impliedDirectory();
  /** Whether the tree needs lower layers, or to be merged, before it is what a user sees. */
  dependent = false;
  /** What could not be kept, each once. */
  readonly warnings = new Set<string>();
  private entryCount = 0;

  constructor(private readonly options: LayerTreeOptions) {}

  /**
   * Adds an entry.
   * @returns the inode that the entry's data belongs to, for files
   * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED
   */
  add(entry: TarEntry): Inode | undefined {
    if (++this.entryCount > this.options.maxEntries) {
      throw limitExceeded(`layer has more than ${this.options.maxEntries} entries`);
    }
    const path = components(entry.name, 'entry');
    const name = path.pop();
    if (name === undefined) {
      if (entry.type !== 'directory') throw corrupt('tar entry for the root is no directory');
      this.describe(this.root, entry);
      return undefined;
    }
    const parent = this.directory(path, entry.name);
    if (name === OPAQUE_WHITEOUT) {
      this.setOpaque(parent);
      return undefined;
    }
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.whiteout(parent, name.slice(WHITEOUT_PREFIX.length), entry.name);
      return undefined;
    }
    return this.place(parent, name, entry);
  }

  private place(parent: Inode, name: string, entry: TarEntry): Inode | undefined {
    const siblings = parent.entries as Map<string, Inode>;
    const before = siblings.get(name);
    if (entry.type === 'directory' && before?.isDirectory === true) {
      this.describe(before, entry);
      return undefined;
    }
    if (entry.type === 'link') {
      siblings.set(name, this.linked(entry));
      return undefined;
    }
    const inode = new Inode((entry.mode & 0o7777) | typeBits(entry));
    this.describe(inode, entry);
    // What stood here took the place of what lies below, so nothing of that may show through a directory.
    if (inode.isDirectory && before !== undefined) this.setOpaque(inode);
    siblings.set(name, inode);
    return inode.type === S_IFREG ? inode : undefined;
  }

  private describe(inode: Inode, entry: TarEntry): void {
    const opaque = inode.isOpaque;
    if (inode.isDirectory) inode.mode = S_IFDIR | (entry.mode & 0o7777);
    inode.implied = false;
    inode.uid = entry.uid;
    inode.gid = entry.gid;
    inode.mtime = entry.mtime;
    inode.mtimeNanoseconds = entry.mtimeNanoseconds;
    inode.size = entry.size;
    if (entry.type === 'symlink') {
      if (entry.linkName === '' || entry.linkName.length > MAX_TARGET || entry.linkName.includes('\0')) {
        throw corrupt(`tar entry "${printable(entry.name)}" is a symbolic link with an unusable target`);
      }
      inode.target = entry.linkName;
      inode.size = entry.linkName.length;
    }
    if (entry.type === 'character-device' || entry.type === 'block-device') {
      inode.device = device(entry);
      if (inode.isWhiteout) this.dependent = true;
    }
    inode.xattrs = this.xattrs(entry);
    if (opaque) this.setOpaque(inode);
  }

  private linked(entry: TarEntry): Inode {
    const path = components(entry.linkName, 'hard link target');
    const target = this.find(path);
    if (target === undefined || (target.implied && target.isDirectory) || target.isWhiteout) {
      return this.linkBelow(entry, path);
    }
    if (target.isDirectory) throw corrupt(`tar entry "${printable(entry.name)}" is a hard link to a directory`);
    return target;
  }

  /** A hard link to a file that only a lower layer can have. */
  private linkBelow(entry: TarEntry, path: readonly string[]): Inode {
    const inode = new Inode(S_IFREG | 0o600);
    inode.target = path.join('/');
    if (inode.target === '') throw corrupt(`tar entry "${printable(entry.name)}" is a hard link to the root`);
    inode.xattrs = [{ name: LINK_XATTR, value: Buffer.from(inode.target, 'latin1') }];
    this.dependent = true;
    return inode;
  }

  private whiteout(parent: Inode, name: string, path: string): void {
    if (name === '' || name === '.' || name === '..' || name.startsWith(WHITEOUT_PREFIX)) {
      throw corrupt(`tar entry "${printable(path)}" is a whiteout of nothing`);
    }
    checkName(name);
    const siblings = parent.entries as Map<string, Inode>;
    const before = siblings.get(name);
    // What this layer itself brings stays; only what lies below is hidden.
    if (before === undefined) siblings.set(name, new Inode(S_IFCHR));
    else if (before.isDirectory) this.setFresh(before);
    this.dependent = true;
  }

  private setOpaque(directory: Inode): void {
    this.dependent = true;
    if (!directory.isOpaque) directory.xattrs = [...(directory.xattrs ?? []), OPAQUE];
  }

  /** The directory takes the place of one below and has nothing of it, neither entries nor owner, mode and times. */
  private setFresh(directory: Inode): void {
    this.setOpaque(directory);
    directory.implied = false;
  }

  private directory(path: readonly string[], entryName: string): Inode {
    let at = this.root;
    for (const name of path) {
      const entries = at.entries as Map<string, Inode>;
      let next = entries.get(name);
      if (next === undefined || next.isWhiteout) {
        const hidden = next !== undefined;
        next = impliedDirectory();
        if (hidden) this.setFresh(next);
        entries.set(name, next);
      } else if (!next.isDirectory) {
        const what = next.type === S_IFLNK ? 'a symbolic link' : 'no directory';
        throw corrupt(
          `tar entry "${printable(entryName)}" lies below "${printable(name)}", which is ${what} in this archive`,
        );
      }
      at = next;
    }
    return at;
  }

  private find(path: readonly string[]): Inode | undefined {
    let at: Inode | undefined = this.root;
    for (const name of path) at = at?.entries?.get(name);
    return at;
  }

  private xattrs(entry: TarEntry): readonly Xattr[] | undefined {
    let bytes = 0;
    const kept = entry.xattrs.filter(({ name, value }) => {
      const prefix = xattrPrefix(name);
      if (prefix === undefined || name.startsWith('trusted.overlay.')) {
        this.warnings.add(`extended attribute "${printable(name)}" cannot be kept`);
        return false;
      }
      if (name.length - prefix.length > EROFS_NAME_MAX || name.includes('\0')) {
        throw corrupt(`tar entry "${printable(entry.name)}" has an extended attribute with an unusable name`);
      }
      bytes += name.length + value.length + 8;
      return true;
    });
    if (bytes > MAX_XATTR_BYTES) {
      throw limitExceeded(
        `tar entry "${printable(entry.name)}" has more than ${MAX_XATTR_BYTES} bytes of extended attributes`,
      );
    }
    return kept.length === 0 ? undefined : kept;
  }
}

function impliedDirectory(): Inode {
  const inode = new Inode(S_IFDIR | 0o755);
  inode.implied = true;
  return inode;
}

function typeBits(entry: TarEntry): number {
  switch (entry.type) {
    case 'file':
    case 'link':
      return S_IFREG;
    case 'directory':
      return S_IFDIR;
    case 'symlink':
      return S_IFLNK;
    case 'character-device':
      return S_IFCHR;
    case 'block-device':
      return S_IFBLK;
    case 'fifo':
      return S_IFIFO;
  }
}

function device(entry: TarEntry): number {
  const { deviceMajor: major, deviceMinor: minor } = entry;
  if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff) {
    throw corrupt(
      `tar entry "${printable(entry.name)}" has the device number ${major}:${minor}, which Linux cannot have`,
    );
  }
  return encodeDevice(major, minor);
}

function checkName(name: string): void {
  if (name.length > EROFS_NAME_MAX) {
    throw corrupt(
      `tar entry has a name of ${name.length} bytes, where ${EROFS_NAME_MAX} are possible: "${printable(name)}"`,
    );
  }
}

/** Splits a path. @throws IMAGE_CORRUPT for an absolute path, `..`, NUL, and what is too long */
function components(path: string, what: string): string[] {
  const refuse = (reason: string) => corrupt(`tar has a ${what} "${printable(path)}" ${reason}`);
  if (path === '') throw corrupt(`tar has a ${what} without a name`);
  if (path.startsWith('/')) throw refuse('with an absolute path');
  if (path.length > MAX_PATH) throw refuse(`with more than ${MAX_PATH} bytes`);
  if (path.includes('\0')) throw refuse('with a NUL in it');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  for (const part of parts) {
    if (part === '..') throw refuse('that leads upwards');
    checkName(part);
  }
  return parts;
}
