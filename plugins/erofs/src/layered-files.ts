import { open, type FileHandle } from 'node:fs/promises';
import type { Xattr } from '@a3s-box/core';
import { BLOCK } from './disk-format.js';
import { corrupt } from './fault.js';
import { HOLE, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, type Inode } from './inode.js';
import { MergedTree } from './merge-tree.js';
import { readLayerMetadata } from './metadata-reader.js';
import { readExactly } from './read-exactly.js';

export type LayeredType = 'file' | 'directory' | 'link' | 'character-device' | 'block-device' | 'fifo';

/** An entry of a file system that lies in layers. Texts hold one byte per character. */
export interface LayeredEntry {
  /** From the root, without links and without a slash before it; empty for the root. */
  readonly path: string;
  readonly type: LayeredType;
  /** Permissions, set-id bits and the sticky bit. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch; may be negative. */
  readonly mtime: number;
  readonly mtimeNanoseconds: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Where a link leads. */
  readonly target: string;
  /** Of a device, in the kernel's encoding. */
  readonly device: number;
  readonly xattrs: readonly Xattr[];
  /** The same number for all names of one file. */
  readonly number: number;
}

const TYPES: Readonly<Record<number, LayeredType>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'link',
  [S_IFCHR]: 'character-device',
  [S_IFBLK]: 'block-device',
  [S_IFIFO]: 'fifo',
};
/** Bytes that are read at once. */
const PIECE = 1024 * 1024;

/** The files of layers laid over each other, without a mount. Close it. */
export class LayeredFiles implements AsyncDisposable {
  private readonly numbers = new Map<Inode, number>();
  private readonly inodes: Inode[] = [];

  private constructor(
    private readonly tree: MergedTree,
    private readonly files: readonly FileHandle[],
  ) {}

  /**
   * @param layers paths of files that `writeLayer` wrote, lowest first
   * @throws IMAGE_CORRUPT
   */
  static async open(layers: readonly string[]): Promise<LayeredFiles> {
    await using opened = new AsyncDisposableStack();
    const tree = new MergedTree();
    const files: FileHandle[] = [];
    for (const [index, path] of layers.entries()) {
      const file = opened.use(await open(path, 'r'));
      files.push(file);
      tree.apply((await readLayerMetadata(file, index + 1)).root);
    }
    opened.move();
    return new LayeredFiles(tree, files);
  }

  /** What a path means, links followed to the end and never above the root. @returns undefined when there is nothing */
  find(path: string): LayeredEntry | undefined {
    const trail = this.tree.find(path);
    const inode = trail?.at(-1)?.inode;
    if (trail === undefined || inode === undefined) return undefined;
    return this.entry(
      trail
        .slice(1)
        .map(({ name }) => name)
        .join('/'),
      inode,
    );
  }

  /** An entry and all that is in it, each directory before its content, in the order of names. */
  *walk(entry: LayeredEntry): Generator<LayeredEntry> {
    const stack = [entry];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      yield next;
      const { path } = next;
      const below = [...(this.inode(next).entries ?? [])].sort(([a], [b]) => (a < b ? 1 : -1));
      for (const [name, inode] of below) stack.push(this.entry(path === '' ? name : `${path}/${name}`, inode));
    }
  }

  /** The bytes of a file. */
  async *read(entry: LayeredEntry): AsyncGenerator<Buffer> {
    const { data, size } = this.inode(entry);
    if (data === undefined) return;
    const file = this.files[data.device - 1];
    if (file === undefined) throw corrupt('a file points into a layer that there is not');
    const chunk = data.kind === 'run' ? size : BLOCK * 2 ** data.bits;
    for (let at = 0; at < size;) {
      const within = at % chunk;
      const length = Math.min(PIECE, chunk - within, size - at);
      const block = data.kind === 'run' ? data.block : (data.blocks[Math.floor(at / chunk)] ?? HOLE);
      yield block === HOLE ? Buffer.alloc(length) : await readExactly(file, block * BLOCK + within, length);
      at += length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()));
  }

  private entry(path: string, inode: Inode): LayeredEntry {
    const type = TYPES[inode.type];
    if (type === undefined) throw corrupt('a layer has an entry of a type that there is not');
    const { uid, gid, mtime, mtimeNanoseconds, size, target, device, xattrs = [] } = inode;
    const number = this.numbers.get(inode) ?? this.inodes.push(inode) - 1;
    this.numbers.set(inode, number);
    return {
      path,
      type,
      mode: inode.mode & 0o7777,
      uid,
      gid,
      mtime,
      mtimeNanoseconds,
      size,
      target,
      device,
      xattrs,
      number,
    };
  }

  private inode({ number }: LayeredEntry): Inode {
    return this.inodes[number] as Inode;
  }
}
