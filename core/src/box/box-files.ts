import {
  ChangesRequest,
  FilesService,
  ReadFilesRequest,
  ReadLayerRequest,
  StatFileRequest,
  WriteFilesRequest,
  type FileChange,
} from '../gen/a3s/box/agent/v1/files.js';
import { answersOf, sendAll } from '../guest/streaming.js';
import { injectable } from '../kernel/container.js';
import type { Operation } from '../ports/operation.js';
import type { Box } from './box.js';
import { BoxDisks } from './box-disks.js';
import { runtimeFiles } from './runtime-files.js';

/** What is read of a box. */
export interface ReadFiles {
  /** One that ends in `/` or `/.` is followed to its end, others to their last name. */
  readonly path: Buffer;
  /** What the first entry is called; empty: `.`. */
  readonly name: Buffer;
  /** The root file system alone, without what is mounted in it. */
  readonly rootOnly: boolean;
}

export interface WriteFiles {
  /** A directory that is there. */
  readonly directory: Buffer;
  readonly keepOwners: boolean;
}

const asItIs = (bytes: Buffer): Buffer => bytes;

/**
 * The files of boxes, running or not. Items pass through as encoded messages of the agent, unread: whoever asked decodes
 * what the guest made.
 */
@injectable()
export class BoxFiles {
  constructor(private readonly disks: BoxDisks) {}

  /** @returns an encoded `FileEntry` @throws NOT_FOUND, CONFLICT */
  async stat(box: Box, path: Buffer, { signal }: Operation): Promise<Buffer> {
    await using disk = await this.disks.open(box, { signal, withVolumes: true });
    const method = { ...FilesService.stat, responseDeserialize: asItIs };
    const response = await disk.session.call(
      method,
      StatFileRequest.create({ containerId: disk.container, path }),
      signal,
    );
    // Its one field, behind tag and length, is the entry.
    return fieldOf(response);
  }

  /** @returns encoded `FileItems` @throws NOT_FOUND, CONFLICT */
  async *read(box: Box, request: ReadFiles, { signal }: Operation): AsyncGenerator<Buffer, void, void> {
    await using disk = await this.disks.open(box, { signal, withVolumes: !request.rootOnly });
    const method = { ...FilesService.read, responseDeserialize: asItIs };
    const message = ReadFilesRequest.create({ containerId: disk.container, ...request });
    yield* answersOf(disk.session, method, message, signal);
  }

  /** @param items encoded `FileItems` @returns bytes of files @throws NOT_FOUND, CONFLICT, INVALID_ARGUMENT, DISK_FULL */
  async write(box: Box, target: WriteFiles, items: AsyncIterable<Buffer>, { signal }: Operation): Promise<bigint> {
    await using disk = await this.disks.open(box, { signal, withVolumes: true });
    const open = WriteFilesRequest.create({
      request: { $case: 'open', value: { containerId: disk.container, ...target } },
    });
    const requests = async function* () {
      yield Buffer.from(WriteFilesRequest.encode(open).finish());
      for await (const encoded of items) yield itemsRequest(encoded);
    };
    const method = { ...FilesService.write, requestSerialize: asItIs };
    return (await sendAll(disk.session, method, requests(), signal)).bytes;
  }

  /** How the root file system differs from its image, in no certain order. */
  async *changes(box: Box, { signal }: Operation): AsyncGenerator<FileChange[], void, void> {
    await using disk = await this.disks.open(box, { signal, withVolumes: false });
    const request = ChangesRequest.create({ containerId: disk.container, except: exceptions(box) });
    for await (const { changes } of answersOf(disk.session, FilesService.changes, request, signal)) yield changes;
  }

  /**
   * The same as the items of a layer; none where nothing differs.
   * @param freeze whether the processes of a running box stand still meanwhile
   */
  async *layer(box: Box, freeze: boolean, { signal }: Operation): AsyncGenerator<Buffer, void, void> {
    await using disk = await this.disks.open(box, { signal, withVolumes: false });
    const request = ReadLayerRequest.create({
      containerId: disk.container,
      except: exceptions(box),
      freeze: freeze && disk.running,
    });
    const method = { ...FilesService.readLayer, responseDeserialize: asItIs };
    yield* answersOf(disk.session, method, request, signal);
  }
}

function exceptions(box: Box): Buffer[] {
  return runtimeFiles(box).map((path) => Buffer.from(path));
}

/** Puts encoded items into the message that carries them, which need not know them. */
function itemsRequest(items: Buffer): Buffer {
  const head = [ITEMS_TAG];
  let length = items.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), items]);
}

/** Field 2, length-delimited. */
const ITEMS_TAG = (2 << 3) | 2;

/** What a message of one length-delimited field holds. */
function fieldOf(message: Buffer): Buffer {
  let at = 1;
  while (at < message.length && (message[at] as number) > 0x7f) at++;
  return message.subarray(at + 1);
}
