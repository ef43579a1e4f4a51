import { lstat, readlink, stat as followedStat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { planCopy, lastName, linkedPath, parentOf, type CopyDestination } from '../files/copy-plan.js';
import { decodeItems, encodeItems, FileEntry, FileType, type FileItem } from '../files/file-items.js';
import { packHost } from '../files/host-pack.js';
import { unpackToHost } from '../files/host-unpack.js';
import { itemsToTar } from '../files/items-to-tar.js';
import { pathFailure } from '../files/path-failure.js';
import { tarToItems } from '../files/tar-to-items.js';
import {
  FileChange_Kind as ChangeKind,
  FilesService,
  type FileBatch,
  type FileChanges,
  type WriteFilesRequest,
  type WriteFilesResponse,
} from '../gen/a3s/box/supervisor/v1/files.js';
import type { CallOptions } from './call-options.js';
import { peerError, type SupervisorConnection } from './supervisor-connection.js';

/** A path in a box. */
export interface BoxPath {
  /** Name, id or unique prefix of the id. */
  readonly box: string;
  /** From the box's root on; as with Docker, `/` and `/.` at its end count. */
  readonly path: string;
}

export interface CopyOptions extends CallOptions {
  /** Whether owners stay those of the source. Default: user 0 in a box, and on the host who copies. */
  readonly archive?: boolean;
  /** Whether a symbolic link that the source is, is followed. */
  readonly followLink?: boolean;
}

export interface ExtractOptions extends CallOptions {
  /** Whether owners are those of the archive. Default true. */
  readonly keepOwners?: boolean;
}

export interface CommitOptions extends CallOptions {
  /** Name of the image. */
  readonly name?: string;
  readonly author?: string;
  /** For the image's history. */
  readonly message?: string;
  /** Dockerfile instructions that change the image's config. */
  readonly changes?: readonly string[];
  /** Whether the processes of a box that runs stand still meanwhile. Default true. */
  readonly pause?: boolean;
}

/** What there is at a path. */
export interface FileStatus {
  readonly type: 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo' | 'socket';
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly modified: Date;
  /** Of a symbolic link. */
  readonly target?: string;
}

/** How a path differs from the image. */
export interface FileDifference {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Absolute; bytes that are no UTF-8 are replaced. */
  readonly path: string;
}

/** As many links after each other are followed. */
const MOST_LINKS = 40;

/** The files of boxes, running or not. Errors as of `BoxClient`, with those of the host's own files. */
export class FilesClient {
  readonly #connection: SupervisorConnection;

  /** @param connection stays the caller's */
  constructor(connection: SupervisorConnection) {
    this.#connection = connection;
  }

  /** What there is at a path; of a link, the link, unless the path ends in a slash. @throws NOT_FOUND */
  async stat({ box, path }: BoxPath, options: CallOptions = {}): Promise<FileStatus> {
    const entry = await this.#entry({ box, path }, options);
    return {
      type: typeName(entry.type),
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      size: Number(entry.size),
      modified: new Date(Number(entry.mtimeSeconds) * 1000 + entry.mtimeNanoseconds / 1e6),
      ...(entry.type === FileType.SYMBOLIC_LINK && { target: entry.link.toString() }),
    };
  }

  /** A file or directory as a tar archive, its members named by the path's last name. @throws NOT_FOUND */
  async *archive(source: BoxPath, options: CopyOptions = {}): AsyncGenerator<Buffer, void, void> {
    const { path, name } = await this.#source(source, options);
    yield* itemsToTar(this.#read({ box: source.box, path }, name ?? lastName(rooted(path)), options));
  }

  /**
   * Puts what a tar archive holds into a directory of a box. The archive is not compressed.
   * @returns bytes of files
   */
  async extract(target: BoxPath, archive: AsyncIterable<Uint8Array>, options: ExtractOptions = {}): Promise<number> {
    const destination = await this.#destination(target, options);
    if (destination.existing !== 'directory') {
      throw new BoxError('INVALID_ARGUMENT', `destination "${target.box}:${target.path}" must be a directory`);
    }
    const write = { box: target.box, directory: destination.path, keepOwners: options.keepOwners ?? true };
    return this.#write(write, tarToItems(archive), options);
  }

  /** Copies from the host into a box, by Docker's rules. @param path of the host @returns bytes of files */
  async copyIn(path: string, target: BoxPath, options: CopyOptions = {}): Promise<number> {
    const { archive = false, followLink = false } = options;
    const source = hostPath(path);
    const found = await (followLink ? followedStat(source) : statOf(source)).catch((error: unknown) => {
      throw pathFailure('copy', source, error);
    });
    const destination = await this.#destination(target, options);
    const plan = planCopy({ path: source, isDirectory: found.isDirectory() }, destination);
    const write = { box: target.box, directory: plan.directory, keepOwners: archive };
    return this.#write(write, packHost(source, { name: plan.name, followLink }), options);
  }

  /** Copies from a box to the host, by Docker's rules. @param path of the host @returns bytes of files */
  async copyOut(source: BoxPath, path: string, options: CopyOptions = {}): Promise<number> {
    const { archive = false } = options;
    const destination = await hostDestination(hostPath(path));
    const from = await this.#source(source, options);
    const plan = planCopy(from, destination);
    const items = this.#read({ box: source.box, path: from.path }, plan.name, options);
    return unpackToHost(items, plan.directory, { keepOwners: archive });
  }

  /** Copies from one box to another, or within one, by Docker's rules. Owners are kept. @returns bytes of files */
  async copyBetween(source: BoxPath, target: BoxPath, options: CopyOptions = {}): Promise<number> {
    const from = await this.#source(source, options);
    const destination = await this.#destination(target, options);
    const plan = planCopy(from, destination);
    const items = this.#read({ box: source.box, path: from.path }, plan.name, options);
    return this.#write({ box: target.box, directory: plan.directory, keepOwners: true }, items, options);
  }

  /** The root file system of a box as a tar archive, without what is mounted in it. */
  export(box: string, { signal }: CallOptions = {}): AsyncGenerator<Buffer, void, void> {
    return itemsToTar(this.#read({ box, path: '/' }, '.', { ...(signal && { signal }), rootOnly: true }));
  }

  /** How a box's root file system differs from its image, sorted by path. */
  async diff(box: string, { signal }: CallOptions = {}): Promise<FileDifference[]> {
    const call = this.#connection.serverStream(FilesService.changes, { box }, signal);
    const found: { readonly kind: FileDifference['kind']; readonly path: Buffer }[] = [];
    try {
      for await (const { changes } of call as AsyncIterable<FileChanges>) {
        for (const { kind, path } of changes) found.push({ kind: kindName(kind), path });
      }
    } catch (error) {
      throw peerError(error, signal);
    }
    return found
      .sort((one, other) => Buffer.compare(one.path, other.path))
      .map(({ kind, path }) => ({ kind, path: path.toString() }));
  }

  /**
   * Makes an image of a box: its image with what has changed in the box as one more layer.
   * @returns the image's id
   */
  async commit(box: string, options: CommitOptions = {}): Promise<string> {
    const { name = '', author = '', message = '', changes = [], pause = true, signal } = options;
    const request = { box, name, author, message, changes: [...changes], withoutPause: !pause };
    return (await this.#connection.call(FilesService.commit, request, signal)).image;
  }

  /** What is copied, links followed where that was asked for. */
  async #source(
    { box, path: given }: BoxPath,
    options: CopyOptions,
  ): Promise<{ readonly path: string; readonly isDirectory: boolean; readonly name?: string }> {
    const path = rooted(given);
    const entry = await this.#entry({ box, path }, options);
    if (!options.followLink || entry.type !== FileType.SYMBOLIC_LINK) {
      return { path, isDirectory: entry.type === FileType.DIRECTORY };
    }
    const target = await this.#followed(box, linkedPath(path, entry.link.toString()), options);
    return { path: target.path, isDirectory: target.entry.type === FileType.DIRECTORY, name: lastName(path) };
  }

  /** What is at the destination, links followed; a link that leads nowhere names what is to be made. */
  async #destination({ box, path: given }: BoxPath, options: CallOptions): Promise<CopyDestination> {
    const path = rooted(given);
    try {
      const { path: found, entry } = await this.#followed(box, path, options);
      const existing = entry.type === FileType.DIRECTORY ? 'directory' : 'other';
      if (existing === 'other' && entry.type !== FileType.REGULAR) {
        throw new BoxError('INVALID_ARGUMENT', `destination "${box}:${given}" must be a directory or a regular file`);
      }
      return { path: found, existing };
    } catch (error) {
      if (!isBoxError(error) || error.code !== 'NOT_FOUND') throw error;
    }
    // Unless the box itself is not there, its directory has to be.
    const parent = await this.#entry({ box, path: `${parentOf(path)}/` }, options);
    if (parent.type === FileType.DIRECTORY) return { path };
    throw new BoxError('INVALID_ARGUMENT', `"${parentOf(path)}" in box "${box}" is not a directory`);
  }

  async #followed(box: string, path: string, options: CallOptions): Promise<{ path: string; entry: FileEntry }> {
    let at = path;
    for (let count = 0; count < MOST_LINKS; count++) {
      const entry = await this.#entry({ box, path: at }, options);
      if (entry.type !== FileType.SYMBOLIC_LINK) return { path: at, entry };
      at = linkedPath(at, entry.link.toString());
    }
    throw new BoxError('INVALID_ARGUMENT', `"${path}" in box "${box}" has too many symbolic links`);
  }

  async #entry({ box, path }: BoxPath, { signal }: CallOptions): Promise<FileEntry> {
    const request = { box, path: Buffer.from(rooted(path)) };
    return FileEntry.decode((await this.#connection.call(FilesService.stat, request, signal)).entry);
  }

  async *#read(
    { box, path }: BoxPath,
    name: string,
    { signal, rootOnly = false }: CallOptions & { readonly rootOnly?: boolean },
  ): AsyncGenerator<FileItem, void, void> {
    const request = { box, path: Buffer.from(rooted(path)), name: Buffer.from(name), rootOnly };
    const call = this.#connection.serverStream(FilesService.read, request, signal);
    const messages = async function* () {
      for await (const { items } of call as AsyncIterable<FileBatch>) yield items;
    };
    try {
      yield* decodeItems(messages());
    } catch (error) {
      throw isBoxError(error) ? error : peerError(error, signal);
    } finally {
      call.cancel();
    }
  }

  async #write(
    { box, directory, keepOwners }: { readonly box: string; readonly directory: string; readonly keepOwners: boolean },
    items: AsyncIterable<FileItem>,
    { signal }: CallOptions,
  ): Promise<number> {
    const call = this.#connection.stream(FilesService.write, signal);
    const requests = async function* (): AsyncGenerator<WriteFilesRequest> {
      yield { request: { $case: 'open', value: { box, directory: Buffer.from(directory), keepOwners } } };
      for await (const encoded of encodeItems(items)) {
        yield { request: { $case: 'batch', value: { items: encoded } } };
      }
    };
    return Number((await sendForOne(call, requests(), signal)).bytes);
  }
}

/** Sends requests, each when there is room for it, and takes the one answer. */
async function sendForOne(
  call: ClientDuplexStream<WriteFilesRequest, WriteFilesResponse>,
  requests: AsyncIterable<WriteFilesRequest>,
  signal: AbortSignal | undefined,
): Promise<WriteFilesResponse> {
  let failure: unknown;
  const answer = (async () => {
    try {
      for await (const response of call as AsyncIterable<WriteFilesResponse>) return response;
    } catch (error) {
      failure = peerError(error, signal);
    }
    return undefined;
  })();
  let ended = false;
  void answer.then(() => (ended = true));
  try {
    for await (const request of requests) {
      if (ended) break;
      if (!call.write(request)) await Promise.race([new Promise((done) => call.once('drain', done)), answer]);
    }
    if (!ended) call.end();
  } catch (error) {
    call.cancel();
    await answer;
    throw error;
  }
  const response = await answer;
  if (response) return response;
  throw failure ?? new BoxError('SUPERVISOR_UNREACHABLE', 'the supervisor ended the copy without an answer');
}

/** Paths of a box begin at its root. */
function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** Absolute, with slashes, and with what a slash or dot at its end says. */
function hostPath(path: string): string {
  const given = process.platform === 'win32' ? path.replaceAll('\\', '/') : path;
  const absolute = process.platform === 'win32' ? resolve(given).replaceAll('\\', '/') : resolve(given);
  if (given === '.' || given.endsWith('/.')) return `${absolute}/.`;
  return given.endsWith('/') && !absolute.endsWith('/') ? `${absolute}/` : absolute;
}

function statOf(path: string) {
  return /\/\.?$/.test(path) ? followedStat(path) : lstat(path);
}

/** What is at a destination on the host, links followed. @throws NOT_FOUND when its directory is not there */
async function hostDestination(path: string): Promise<CopyDestination> {
  let at = path;
  for (let count = 0; count < MOST_LINKS; count++) {
    const found = await lstat(at).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw pathFailure('copy to', at, error);
    });
    if (found === undefined) {
      const parent = await followedStat(parentOf(at)).catch((error: unknown) => {
        throw pathFailure('copy to', parentOf(at), error);
      });
      if (parent.isDirectory()) return { path: at };
      throw new BoxError('INVALID_ARGUMENT', `${parentOf(at)} is not a directory`);
    }
    if (!found.isSymbolicLink()) return { path: at, existing: found.isDirectory() ? 'directory' : 'other' };
    at = linkedPath(at, await readlink(at));
  }
  throw new BoxError('INVALID_ARGUMENT', `${path} has too many symbolic links`);
}

function typeName(type: FileType): FileStatus['type'] {
  switch (type) {
    case FileType.DIRECTORY:
      return 'directory';
    case FileType.SYMBOLIC_LINK:
      return 'symlink';
    case FileType.CHARACTER_DEVICE:
      return 'character-device';
    case FileType.BLOCK_DEVICE:
      return 'block-device';
    case FileType.FIFO:
      return 'fifo';
    case FileType.SOCKET:
      return 'socket';
    default:
      return 'file';
  }
}

function kindName(kind: ChangeKind): FileDifference['kind'] {
  if (kind === ChangeKind.ADDED) return 'added';
  return kind === ChangeKind.DELETED ? 'deleted' : 'modified';
}
