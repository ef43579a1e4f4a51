import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { promisify } from 'node:util';
import { BoxError } from '../errors/box-error.js';
import { printable } from '../tar/tar-entry.js';
import { FileType, type FileEntry, type FileItem } from './file-items.js';
import { pathFailure } from './path-failure.js';
import { dataLength } from './items-to-tar.js';

const DEFAULT_DIRECTORY_MODE = 0o777;
/** Let others do what the owner may; not taken from a box unless its owners are, too. */
const SET_ID_BITS = 0o6000;
const MOST_DIRECTORIES = 1_000_000;

export interface UnpackOptions {
  /** Whether owners, and setuid and setgid, are those of the entries. Without it, files belong to who unpacks them. */
  readonly keepOwners: boolean;
}

/**
 * Puts files into a directory of the host. They come from a guest, which is not trusted: no path leads upwards or through
 * a symbolic link, whether that came with them or was there before; no device is made.
 *
 * @param directory is there; files that are in the way are replaced, directories are not
 * @returns bytes of files. What was written before a failure stays
 * @throws INVALID_ARGUMENT for entries that lead elsewhere, CONFLICT for what is in the way, UNSUPPORTED for devices,
 * PERMISSION_DENIED, DISK_FULL
 */
export async function unpackToHost(
  items: AsyncIterable<FileItem>,
  directory: string,
  options: UnpackOptions,
): Promise<number> {
  const unpacker = new HostUnpacker(Buffer.from(directory), options);
  try {
    for await (const { item } of items) {
      if (item?.$case === 'entry') await unpacker.entry(item.value);
      else if (item?.$case === 'data') await unpacker.data(item.value);
    }
    return await unpacker.finish();
  } finally {
    await unpacker.close();
  }
}

interface Incoming {
  readonly entry: FileEntry;
  readonly path: Buffer;
  readonly file: fs.FileHandle;
  readonly runs: readonly { readonly offset: number; readonly length: number }[];
  /** Bytes of data that are still to come. */
  left: number;
  /** The run that the next byte goes into, and how many of it came. */
  run: number;
  inRun: number;
}

class HostUnpacker {
  readonly #target: Buffer;
  readonly #keepOwners: boolean;
  #incoming: Incoming | undefined;
  /** Directories that were found to be ones, by their path in the target; nobody but this unpacker is trusted to keep them so. */
  readonly #described = new Map<string, FileEntry>();
  #bytes = 0;

  constructor(target: Buffer, { keepOwners }: UnpackOptions) {
    this.#target = target;
    this.#keepOwners = keepOwners;
  }

  async entry(entry: FileEntry): Promise<void> {
    await this.#complete();
    const parts = partsOf(entry.path);
    const name = parts.at(-1);
    if (name === undefined) {
      if (entry.type === FileType.DIRECTORY) return;
      throw refuse(entry.path, 'only a directory can be the whole of a copy');
    }
    const parent = await this.#directory(parts.slice(0, -1), entry.path);
    const path = below(parent, name);
    try {
      await this.#place(path, entry);
    } catch (error) {
      throw pathFailure('write', path, error);
    }
  }

  async data(data: Buffer): Promise<void> {
    const incoming = this.#incoming;
    if (!incoming) throw new BoxError('INVALID_ARGUMENT', 'the copy has data of no file');
    if (data.length > incoming.left) throw refuse(incoming.entry.path, 'it has too much data');
    try {
      for (let at = 0; at < data.length;) {
        const { position, room } = placeOf(incoming);
        const length = Math.min(room, data.length - at);
        const { bytesWritten } = await incoming.file.write(data, at, length, position);
        at += bytesWritten;
        incoming.inRun += bytesWritten;
        incoming.left -= bytesWritten;
      }
    } catch (error) {
      throw pathFailure('write', incoming.path, error);
    }
    this.#bytes += data.length;
  }

  async finish(): Promise<number> {
    await this.#complete();
    // Deepest first, since what is made in a directory changes its time, and its mode may forbid going into it.
    for (const [key, entry] of [...this.#described].reverse()) {
      const path = await this.#directory(partsOf(Buffer.from(key, 'latin1')), entry.path);
      try {
        await this.#describe(path, entry);
      } catch (error) {
        throw pathFailure('write', path, error);
      }
    }
    return this.#bytes;
  }

  /** Gives up a file that was not complete. */
  async close(): Promise<void> {
    await this.#incoming?.file.close();
    this.#incoming = undefined;
  }

  /** The path of a directory in the target, made where it is missing, through directories alone. */
  async #directory(parts: readonly Buffer[], entry: Buffer): Promise<Buffer> {
    let path = this.#target;
    for (const part of parts) {
      path = below(path, part);
      const found = await look(path);
      if (found?.isDirectory()) continue;
      if (found?.isSymbolicLink()) throw refuse(entry, `it leads through the symbolic link ${path.toString()}`);
      if (found) throw refuse(entry, `it leads through ${path.toString()}, which is no directory`);
      await fs.mkdir(path, { mode: DEFAULT_DIRECTORY_MODE }).catch((error: unknown) => {
        throw pathFailure('make', path, error);
      });
    }
    return path;
  }

  async #place(path: Buffer, entry: FileEntry): Promise<void> {
    const found = await look(path);
    const directory = entry.type === FileType.DIRECTORY;
    if (found?.isDirectory() && !directory) throw inTheWay(`directory ${path.toString()}`, 'a file');
    if (found && !found.isDirectory() && directory) throw inTheWay(`file ${path.toString()}`, 'a directory');
    if (directory) return this.#placeDirectory(path, entry, found !== undefined);
    if (found) await fs.unlink(path);
    switch (entry.type) {
      case FileType.REGULAR:
        return this.#begin(path, entry);
      case FileType.SYMBOLIC_LINK:
        if (entry.link.length === 0 || entry.link.includes(0)) throw refuse(entry.path, 'it is a link to nothing');
        await fs.symlink(entry.link, path);
        return this.#describeLink(path, entry);
      case FileType.HARD_LINK:
        return this.#link(path, entry);
      case FileType.FIFO:
        await makeFifo(path, entry);
        return this.#describe(path, entry);
      case FileType.CHARACTER_DEVICE:
      case FileType.BLOCK_DEVICE:
        throw new BoxError('UNSUPPORTED', `${shown(entry.path)} is a device, and none is made on the host`, {
          hint: 'copy to "-" for a tar archive with it, or copy what is beside it',
        });
      default:
        throw refuse(entry.path, 'it is of no kind of file');
    }
  }

  async #placeDirectory(path: Buffer, entry: FileEntry, exists: boolean): Promise<void> {
    // What comes into it has to find it writable; its own mode comes at the end.
    if (!exists) await fs.mkdir(path, { mode: 0o700 });
    if (this.#described.size === MOST_DIRECTORIES) {
      throw new BoxError('LIMIT_EXCEEDED', `the copy has more than ${MOST_DIRECTORIES} directories`);
    }
    this.#described.set(entry.path.toString('latin1'), { ...entry, attributes: [] });
  }

  async #begin(path: Buffer, entry: FileEntry): Promise<void> {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const size = Number(entry.size);
    const runs = entry.sparse
      ? entry.runs.map(({ offset, length }) => ({ offset: Number(offset), length: Number(length) }))
      : [{ offset: 0, length: size }];
    let end = 0;
    for (const { offset, length } of runs) {
      if (offset < end || !Number.isSafeInteger(offset + length) || offset + length > size) {
        throw refuse(entry.path, 'the map of its holes makes no sense');
      }
      end = offset + length;
    }
    const file = await fs.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    this.#incoming = { entry, path, file, runs, left: dataLength(entry), run: 0, inRun: 0 };
    if (entry.sparse) await file.truncate(size);
  }

  async #link(path: Buffer, entry: FileEntry): Promise<void> {
    const parts = partsOf(entry.link);
    const name = parts.at(-1);
    if (name === undefined) throw refuse(entry.path, 'it is a link to nothing');
    const target = below(await this.#directory(parts.slice(0, -1), entry.path), name);
    const found = await look(target);
    // One to a symbolic link that was there before would show what that leads to, on some systems.
    if (!found || found.isDirectory()) throw refuse(entry.path, 'it is a link to what is no file of this copy');
    await fs.link(target, path);
  }

  async #complete(): Promise<void> {
    const incoming = this.#incoming;
    if (!incoming) return;
    const { entry, file, path } = incoming;
    if (incoming.left > 0) throw refuse(entry.path, 'some of its data is missing');
    this.#incoming = undefined;
    try {
      await this.#describe(file, entry);
    } catch (error) {
      throw pathFailure('write', path, error);
    } finally {
      await file.close();
    }
  }

  async #describe(target: Buffer | fs.FileHandle, entry: FileEntry): Promise<void> {
    const byHandle = !Buffer.isBuffer(target);
    const { uid, gid } = entry;
    if (this.#keepOwners) await (byHandle ? target.chown(uid, gid) : fs.lchown(target, uid, gid));
    const mode = entry.mode & (this.#keepOwners ? 0o7777 : 0o7777 & ~SET_ID_BITS);
    await (byHandle ? target.chmod(mode) : fs.chmod(target, mode));
    const time = timeOf(entry);
    await (byHandle ? target.utimes(time, time) : fs.utimes(target, time, time));
  }

  async #describeLink(path: Buffer, entry: FileEntry): Promise<void> {
    if (this.#keepOwners) await fs.lchown(path, entry.uid, entry.gid);
    const time = timeOf(entry);
    await fs.lutimes(path, time, time);
  }
}

/** Where the next byte of a file goes, and how many may follow it there. */
function placeOf(incoming: Incoming): { readonly position: number; readonly room: number } {
  for (let run = incoming.runs[incoming.run]; run; run = incoming.runs[++incoming.run]) {
    const { offset, length } = run;
    if (incoming.inRun < length) return { position: offset + incoming.inRun, room: length - incoming.inRun };
    incoming.inRun = 0;
  }
  throw new BoxError('INTERNAL', 'data has no place in its file');
}

function timeOf({ mtimeSeconds, mtimeNanoseconds }: FileEntry): number {
  return Number(mtimeSeconds) + mtimeNanoseconds / 1e9;
}

async function makeFifo(path: Buffer, entry: FileEntry): Promise<void> {
  const text = path.toString();
  if (!Buffer.from(text).equals(path)) {
    throw new BoxError(
      'UNSUPPORTED',
      `${shown(entry.path)} is a pipe whose name is no UTF-8, and none is made on the host`,
    );
  }
  await promisify(execFile)('mkfifo', ['-m', '600', '--', text]);
}

async function look(path: Buffer) {
  try {
    return await fs.lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw pathFailure('look at', path, error);
  }
}

/** The names of a path. @throws INVALID_ARGUMENT for one that is absolute, leads upwards, or is no path */
function partsOf(path: Buffer): Buffer[] {
  const text = path.toString('latin1');
  if (text === '.') return [];
  const parts = text.split('/');
  const wrong = parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  if (wrong || (process.platform === 'win32' && /[\\:]/.test(text))) throw refuse(path, 'its path leads elsewhere');
  return parts.map((part) => Buffer.from(part, 'latin1'));
}

function below(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}

function shown(path: Buffer): string {
  return `"${printable(path.toString('latin1'))}"`;
}

function refuse(path: Buffer, why: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', `${shown(path)} is not copied: ${why}`);
}

function inTheWay(what: string, by: string): BoxError {
  return new BoxError('CONFLICT', `cannot overwrite ${what} with ${by}`);
}
