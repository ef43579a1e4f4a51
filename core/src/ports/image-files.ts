/** An entry of an image's file system. Texts hold one byte per character. */
export interface ImageFile {
  /** From the root, without links and without a slash before it; empty for the root. */
  readonly path: string;
  /** Several names of one file are each a file; {@link number} tells. */
  readonly type: 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo';
  /** Permissions, set-id bits and the sticky bit. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch, rounded down, and nanoseconds from there. */
  readonly mtime: number;
  readonly mtimeNanoseconds: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Where a symbolic link leads. */
  readonly target: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: readonly { readonly name: string; readonly value: Buffer }[];
  /** The same for all names of one file, and for no other. */
  readonly number: number;
}

/** The files of an image, read on the host without a mount. They stay as they are, whatever becomes of the image. Close it. */
export interface ImageFiles extends AsyncDisposable {
  /** What a path means, links followed to the end and never above the root. @returns undefined when there is nothing */
  find(path: string): ImageFile | undefined;

  /** What a directory holds, in the order of names; nothing for anything else. */
  list(entry: ImageFile): readonly ImageFile[];

  /** The bytes of a file. @throws IMAGE_CORRUPT */
  read(entry: ImageFile): AsyncIterable<Uint8Array>;
}
