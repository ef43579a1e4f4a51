import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { BoxService } from '../box/box-service.js';
import { BoxError } from '../errors/box-error.js';
import type {
  ImageProgress,
  ImagesServer,
  ImportImageRequest,
  LoadImagesRequest,
  RemoveImageRequest,
  RemoveImageResponse,
} from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { NewEvent } from '../events/event.js';
import type { EventLog } from '../events/event-log.js';
import type { Image, ImageSource, ImageStore } from '../ports/image-store.js';
import type { SnapshotStore } from '../snapshots/snapshot-store.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import { answerEach, failStream, unaryHandler, writeMessage } from './grpc-handlers.js';
import { imageConfigFrom, imageConfigOf, imageRecordOf, platformFrom, ProgressWriter } from './image-messages.js';

export interface ImageHandlerParts {
  readonly images: ImageStore;
  readonly boxes: BoxService;
  readonly snapshots: SnapshotStore;
  readonly events: EventLog;
  readonly logger: Logger;
}

/** The Images service of the supervisor protocol. */
export function imageHandlers(parts: ImageHandlerParts): ImagesServer {
  const { images, events, logger } = parts;
  // The store has files of its own: what is told of it is told once it is done.
  const tell = (action: string, all: readonly Image[], name?: string) => {
    for (const { id, names } of all) events.tell(imageEvent(action, id, name ?? names[0]));
    return all;
  };
  return {
    list: unaryHandler(logger, async (_request, context) => ({
      images: (await images.list(context)).map(imageRecordOf),
    })),
    inspect: unaryHandler(logger, async ({ image }, context) => {
      const found = await images.inspect(image, context);
      return { image: imageRecordOf(found), config: imageConfigOf(found.config), diffIds: [...found.diffIds] };
    }),
    pull: (call) =>
      void answer(call, async (operation, onProgress) => {
        const { reference, platform, plainHttp } = call.request;
        const wanted = platform === '' ? {} : { platform: platformFrom(platform) };
        return tell(
          'pull',
          [await images.pull(reference, { ...operation, ...wanted, plainHttp, onProgress })],
          reference,
        );
      }),
    load: (call) =>
      void answer(call, async (operation, onProgress) =>
        tell('load', await images.load(await imageSource(call), { ...operation, onProgress })),
      ),
    import: (call) =>
      void answer(call, async (operation, onProgress) => {
        const requests = requestsOf(call);
        const first = (await next(requests))?.request;
        if (first?.$case !== 'options') throw new BoxError('INVALID_ARGUMENT', 'import: no options came first');
        const { name, config } = first.value;
        const options = { ...(name && { name }), ...(config && { config: imageConfigFrom(config) }) };
        return tell('import', [await images.import(dataOf(requests), { ...operation, ...options, onProgress })]);
      }),
    save: (call) =>
      void answerEach(
        call,
        (signal) => saveImages(parts, call.request.references, { signal }),
        (data) => ({ data: Buffer.from(data) }),
      ),
    tag: unaryHandler(logger, async ({ image, name }, context) => {
      await images.tag(image, name, context);
      tell('tag', [await images.inspect(name, context)], name);
      return {};
    }),
    remove: unaryHandler(logger, (request, context) => removeImage(parts, request, context)),
  };
}

async function* saveImages(
  { images, events }: ImageHandlerParts,
  references: readonly string[],
  operation: Operation,
): AsyncGenerator<Uint8Array, void, void> {
  const saved = await Promise.all(references.map((reference) => images.inspect(reference, operation)));
  yield* images.save(references, operation);
  saved.forEach(({ id }, index) => events.tell(imageEvent('save', id, references[index])));
}

async function removeImage(
  { images, boxes, snapshots, events }: ImageHandlerParts,
  { image, force }: RemoveImageRequest,
  context: Operation,
): Promise<RemoveImageResponse> {
  if (!force) await checkUnused({ images, boxes, snapshots }, image, context);
  await boxes.dropSpare();
  const { id } = await images.inspect(image, context);
  const { untagged, deleted } = await images.remove(image, { ...context, force });
  for (const name of untagged) events.tell(imageEvent('untag', id, name));
  for (const gone of deleted) events.tell(imageEvent('delete', gone, undefined));
  return { untagged: [...untagged], deleted: [...deleted] };
}

function imageEvent(action: string, id: string, name: string | undefined): NewEvent {
  return { type: 'image', action, actor: id, attributes: { ...(name !== undefined && { name }) } };
}

/** Stands for an image whatever its names are. */
const BY_DIGEST = /@|^(sha256:)?[0-9a-f]{4,64}$/;

/** The store knows of root disks that are out; a box that does not run needs its image too. */
async function checkUnused(
  { images, boxes, snapshots }: Omit<ImageHandlerParts, 'events' | 'logger'>,
  reference: string,
  operation: Operation,
): Promise<void> {
  const { id, names } = await images.inspect(reference, operation);
  // One name of several may go.
  if (names.length > 1 && !BY_DIGEST.test(reference)) return;
  const user = boxes.list().find((box) => box.image.id === id);
  if (!user) {
    const snapshot = (await snapshots.list()).find(({ imageId }) => imageId === id);
    if (!snapshot) return;
    throw new BoxError('IMAGE_IN_USE', `image "${reference}" is used by snapshot "${snapshot.name}"`, {
      hint: 'remove the snapshot first, or force it',
    });
  }
  throw new BoxError(
    'IMAGE_IN_USE',
    `image "${reference}" is used by box "${user.name}", which is ${user.state.kind}`,
    {
      hint: 'remove the box first, or force it',
    },
  );
}

type ProgressCall = ServerWritableStream<unknown, ImageProgress> | ServerDuplexStream<unknown, ImageProgress>;

/** Sends progress while the work goes on and its images at its end. */
async function answer(
  call: ProgressCall,
  work: (operation: Operation, onProgress: ProgressWriter['report']) => Promise<readonly Image[]>,
): Promise<void> {
  const progress = new ProgressWriter(call);
  try {
    const images = await work(operationOf(call), progress.report);
    await progress.flush();
    for (const image of images) {
      await writeMessage(call, { progress: { $case: 'image', value: imageRecordOf(image) } });
    }
    call.end();
  } catch (error) {
    failStream(call, error);
  }
}

function operationOf(call: { on(event: 'cancelled', listener: () => void): unknown }): Operation {
  const cancelled = new AbortController();
  call.on('cancelled', () => cancelled.abort());
  return { signal: cancelled.signal };
}

function requestsOf<T>(call: ServerDuplexStream<T, unknown>): AsyncIterator<T> {
  return call[Symbol.asyncIterator]() as AsyncIterator<T>;
}

async function next<T>(requests: AsyncIterator<T>): Promise<T | undefined> {
  const result = await requests.next();
  return result.done ? undefined : result.value;
}

async function imageSource(call: ServerDuplexStream<LoadImagesRequest, ImageProgress>): Promise<ImageSource> {
  const requests = requestsOf(call);
  const first = (await next(requests))?.request;
  if (first?.$case !== 'directory') throw new BoxError('INVALID_ARGUMENT', 'load: no source came first');
  if (first.value !== '') return { kind: 'directory', path: first.value };
  return { kind: 'archive', stream: dataOf(requests) };
}

async function* dataOf(requests: AsyncIterator<LoadImagesRequest | ImportImageRequest>): AsyncGenerator<Uint8Array> {
  for (let message = await next(requests); message; message = await next(requests)) {
    if (message.request?.$case === 'data') yield message.request.value;
  }
}
