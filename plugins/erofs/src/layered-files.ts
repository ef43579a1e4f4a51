import { open, type FileHandle } from 'node:fs/promises';
import type { ImageFile, ImageFiles } from '@a3s-box/core';
import { BLOCK } from './disk-format.js';
import { corrupt } from './fault.js';
import { decodeDevice, HOLE, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, type Inode } from './inode.js';
import { MergedTree } from './merge-tree.js';
import { readLayerMetadata } from './metadata-reader.js';
import { readExactly } from './read-exactly.js';

const TYPES: Readonly<Record<number, ImageFile['type']>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symlink',
  [S_IFCHR]: 'character-device',
  [S_IFBLK]: 'block-device',
  [S_IFIFO]: 'fifo',
};
/** Bytes that are read at once. */
const PIECE = 1024 * 1024;

/** The files of layers laid over each other. */
export class LayeredFiles implements ImageFiles {
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

  find(path: string): ImageFile | undefined {
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

  list(entry: ImageFile): readonly ImageFile[] {
    const { path } = entry;
    return [...(this.inode(entry).entries ?? [])]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inode]) => this.entry(path === '' ? name : `${path}/${name}`, inode));
  }

  async *read(entry: ImageFile): AsyncGenerator<Buffer> {
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

  private entry(path: string, inode: Inode): ImageFile {
    const type = TYPES[inode.type];
    if (type === undefined) throw corrupt('a layer has an entry of a type that there is not');
    const { uid, gid, mtime, mtimeNanoseconds, size, target, device, xattrs = [] } = inode;
    const number = this.numbers.get(inode) ?? this.inodes.push(inode) - 1;
    this.numbers.set(inode, number);
    const [deviceMajor, deviceMinor] = decodeDevice(device);
    const times = { mtime, mtimeNanoseconds };
    return {
      path,
      type,
      mode: inode.mode & 0o7777,
      uid,
      gid,
      ...times,
      size,
      target,
      deviceMajor,
      deviceMinor,
      xattrs,
      number,
    };
  }

  private inode({ number }: ImageFile): Inode {
    return this.inodes[number] as Inode;
  }
}
