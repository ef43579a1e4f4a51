import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { lstat, open, readdir, readlink, stat, type FileHandle } from 'node:fs/promises';
import { BoxError } from '../errors/box-error.js';
import { dataItem, entryItem, FileType, type FileEntry, type FileItem } from './file-items.js';
import { pathFailure } from './path-failure.js';

const PIECE = 128 * 1024;
const SLASH = Buffer.from('/');

interface PackOptions {
  /** What the first entry is called. */
  readonly name: string;
  /** Whether a link is followed that the path itself is; those below never are. */
  readonly followLink?: boolean;
}

/**
 * A file of the host, or a directory with all that is in it. Sockets are left out.
 * @param path absolute path; one that ends in `/` or `/.` is followed to its end
 * @throws NOT_FOUND, PERMISSION_DENIED
 */
export async function* packHost(path: string, { name, followLink = false }: PackOptions): AsyncGenerator<FileItem> {
  const links = new Map<string, Buffer>();
  const followed = followLink || /\/\.?$/.test(path);
  yield* pack(Buffer.from(path), Buffer.from(name), { links, look: followed ? stat : lstat });
}

interface Walk {
  /** Files of several names, by number: what the first of them is called. */
  readonly links: Map<string, Buffer>;
  readonly look: (path: Buffer) => Promise<Stats>;
}

async function* pack(path: Buffer, name: Buffer, { links, look }: Walk): AsyncGenerator<FileItem> {
  const found = await look(path).catch((error: unknown) => Promise.reject(pathFailure('read', path, error)));
  if (found.isSocket()) return;
  const number = `${found.dev}:${found.ino}`;
  const first = links.get(number);
  if (first && !found.isDirectory()) {
    yield entryItem({ path: name, type: FileType.HARD_LINK, link: first });
    return;
  }
  if (found.nlink > 1 && !found.isDirectory()) links.set(number, name);
  try {
    if (found.isFile()) return yield* packFile(path, name);
    const link = found.isSymbolicLink() ? await readlink(path, { encoding: 'buffer' }) : Buffer.alloc(0);
    yield entryItem({ ...description(found), path: name, link });
    if (!found.isDirectory()) return;
  } catch (error) {
    throw pathFailure('read', path, error);
  }
  const names = await readdir(path, { encoding: 'buffer' }).catch((error: unknown) => {
    throw pathFailure('read', path, error);
  });
  for (const child of names.sort((one, other) => Buffer.compare(one, other))) {
    const below = name.equals(Buffer.from('.')) ? child : Buffer.concat([name, SLASH, child]);
    yield* pack(Buffer.concat([path, SLASH, child]), below, { links, look: lstat });
  }
}

async function* packFile(path: Buffer, name: Buffer): AsyncGenerator<FileItem> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const found = await file.stat();
  const runs = await runsOf(file, found);
  yield entryItem({
    ...description(found),
    path: name,
    sparse: runs !== undefined,
    runs: (runs ?? []).map(([offset, length]) => ({ offset: BigInt(offset), length: BigInt(length) })),
  });
  for (const [offset, length] of runs ?? [[0, found.size]]) yield* readRun(file, path, offset, offset + length);
}

async function* readRun(file: FileHandle, path: Buffer, from: number, to: number): AsyncGenerator<FileItem> {
  for (let at = from; at < to;) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, to - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) throw new BoxError('CONFLICT', `file ${path.toString()} became shorter while it was read`);
    yield dataItem(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** Where a file has data, if that is not everywhere. */
async function runsOf(file: FileHandle, { blocks, size }: Stats): Promise<[number, number][] | undefined> {
  if (blocks * 512 >= size || process.platform === 'win32') return undefined;
  const { dataExtents } = await import('@a3s-box/native');
  return dataExtents(file.fd)
    .map(([offset, length]): [number, number] => [offset, Math.min(length, size - offset)])
    .filter(([, length]) => length > 0);
}

function description(found: Stats): Partial<FileEntry> {
  const device = found.isCharacterDevice() || found.isBlockDevice();
  const seconds = Math.floor(found.mtimeMs / 1000);
  return {
    type: typeOf(found),
    mode: found.mode & 0o7777,
    uid: found.uid,
    gid: found.gid,
    mtimeSeconds: BigInt(seconds),
    mtimeNanoseconds: Math.floor((found.mtimeMs - seconds * 1000) * 1e6),
    size: found.isFile() ? BigInt(found.size) : 0n,
    // The kernel's own encoding, as glibc takes it apart.
    deviceMajor: device ? (found.rdev >> 8) & 0xfff : 0,
    deviceMinor: device ? (found.rdev & 0xff) | ((found.rdev >> 12) & 0xfff00) : 0,
  };
}

function typeOf(found: Stats): FileType {
  if (found.isFile()) return FileType.REGULAR;
  if (found.isDirectory()) return FileType.DIRECTORY;
  if (found.isSymbolicLink()) return FileType.SYMBOLIC_LINK;
  if (found.isFIFO()) return FileType.FIFO;
  return found.isCharacterDevice() ? FileType.CHARACTER_DEVICE : FileType.BLOCK_DEVICE;
}
