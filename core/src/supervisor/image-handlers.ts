import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { BoxService } from '../box/box-service.js';
import { BoxError } from '../errors/box-error.js';
import type {
  CheckImagesRequest,
  ImageProgress,
  ImagesServer,
  ImportImageRequest,
  LoadImagesRequest,
  PullImageRequest,
  PushImageRequest,
  RemoveImageRequest,
  RemoveImageResponse,
} from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { NewEvent } from '../events/event.js';
import type { EventLog } from '../events/event-log.js';
import type { Image, ImageSource, ImageStore, PullOptions, PushedImage, PushOptions } from '../ports/image-store.js';
import type { RegistryFiles } from '../registries/registry-files.js';
import type { HomeLayout } from '../store/home-layout.js';
import type { SnapshotStore } from '../snapshots/snapshot-store.js';
import type { Logger } from '../ports/logger.js';
import type { Operation } from '../ports/operation.js';
import { answerEach, failStream, unaryHandler, writeMessage } from './grpc-handlers.js';
import { credentialsFrom } from './registry-messages.js';
import {
  imageConfigOf,
  imageRecordOf,
  imageStepOf,
  importOptionsFrom,
  platformFrom,
  ProgressWriter,
  storeCheckOf,
} from './image-messages.js';

export interface ImageHandlerParts {
  readonly images: ImageStore;
  readonly boxes: BoxService;
  readonly snapshots: SnapshotStore;
  readonly registries: RegistryFiles;
  readonly home: Pick<HomeLayout, 'imagePolicy'>;
  readonly events: EventLog;
  readonly logger: Logger;
}

/** The Images service of the supervisor protocol. */
export function imageHandlers(parts: ImageHandlerParts): ImagesServer {
  const { images, events, logger } = parts;
  // The store has files of its own: what is told of it is told once it is done.
  const tell = (action: string, all: readonly Image[], name?: string) => {
    for (const { id, names } of all) events.tell(imageEvent(action, id, name ?? names[0]));
    return all.map(imageResult);
  };
  const taken = async (action: string, all: readonly Image[], name?: string) => {
    await makeRoom(parts, all);
    return tell(action, all, name);
  };
  return {
    list: unaryHandler(logger, async (_request, context) => ({
      images: (await images.list(context)).map(imageRecordOf),
    })),
    inspect: unaryHandler(logger, async ({ image }, context) => {
      const found = await images.inspect(image, context);
      return {
        image: imageRecordOf(found),
        config: imageConfigOf(found.config),
        diffIds: [...found.diffIds],
        history: found.history.map(imageStepOf),
      };
    }),
    pull: (call) =>
      void answer(call, async (operation, onProgress, onWarning) => {
        const { reference } = call.request;
        const image = await pullImage(parts, call.request, { ...operation, onProgress, onWarning });
        return await taken('pull', [image], reference);
      }),
    push: (call) =>
      void answer(call, (operation, onProgress) => pushImages(parts, call.request, { ...operation, onProgress })),
    load: (call) =>
      void answer(call, async (operation, onProgress) =>
        taken('load', await images.load(await imageSource(call), { ...operation, onProgress })),
      ),
    import: (call) =>
      void answer(call, async (operation, onProgress) => {
        const requests = requestsOf(call);
        const first = (await next(requests))?.request;
        if (first?.$case !== 'options') throw new BoxError('INVALID_ARGUMENT', 'import: no options came first');
        const options = importOptionsFrom(first.value);
        return await taken('import', [await images.import(dataOf(requests), { ...operation, ...options, onProgress })]);
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
    check: (call) => void checkImages(parts, call),
  };
}

/** Lets the store keep to its limit, if it has one, with all that is needed. */
async function makeRoom(
  { images, boxes, snapshots, events }: ImageHandlerParts,
  added: readonly Image[],
): Promise<void> {
  const used = [
    ...boxes.list().map(({ image }) => image.id),
    ...(await snapshots.list()).map(({ imageId }) => imageId),
  ];
  const keep = [...added.map(({ id }) => id), ...used];
  for (const { untagged, deleted } of await images.trim({ keep, signal: new AbortController().signal })) {
    for (const name of untagged) events.tell(imageEvent('untag', deleted[0] ?? '', name));
    for (const id of deleted) events.tell(imageEvent('delete', id, undefined));
  }
}

async function pullImage(
  { images, registries, home }: ImageHandlerParts,
  { reference, platform, credentials, plainHttp }: PullImageRequest,
  work: Pick<PullOptions, 'signal' | 'onProgress' | 'onWarning'>,
): Promise<Image> {
  return await images.pull(reference, {
    ...work,
    ...(platform !== '' && { platform: platformFrom(platform) }),
    settings: await registries.read(),
    credentials: credentials.map(credentialsFrom),
    policyFile: home.imagePolicy,
    plainHttp,
  });
}

async function checkImages(
  { images, events }: ImageHandlerParts,
  call: ServerWritableStream<CheckImagesRequest, ImageProgress>,
): Promise<void> {
  await answer(call, async (operation, onProgress) => {
    const outcome = await images.check({ ...operation, repair: call.request.repair, onProgress });
    for (const name of outcome.removed) events.tell(imageEvent('delete', name, undefined));
    return [{ $case: 'check', value: storeCheckOf(outcome) }];
  });
}

async function pushImages(
  { images, registries, events }: ImageHandlerParts,
  request: PushImageRequest,
  work: Pick<PushOptions, 'signal' | 'onProgress'>,
): Promise<readonly Result[]> {
  const { name, platform, allTags, plainHttp } = request;
  const pushed = await images.push(name, {
    ...work,
    images: request.images,
    allTags,
    ...(platform !== '' && { platform: platformFrom(platform) }),
    settings: await registries.read(),
    credentials: request.credentials.map(credentialsFrom),
    plainHttp,
  });
  for (const it of pushed) for (const id of it.imageIds) events.tell(imageEvent('push', id, it.name));
  return pushed.map(pushedResult);
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
  { images, boxes, snapshots }: Pick<ImageHandlerParts, 'images' | 'boxes' | 'snapshots'>,
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

type Result = NonNullable<ImageProgress['progress']>;

function imageResult(image: Image): Result {
  return { $case: 'image', value: imageRecordOf(image) };
}

function pushedResult({ name, digest, sizeBytes }: PushedImage): Result {
  return { $case: 'pushed', value: { name, digest, sizeBytes: BigInt(sizeBytes) } };
}

type ProgressCall = ServerWritableStream<unknown, ImageProgress> | ServerDuplexStream<unknown, ImageProgress>;

/** Sends progress while the work goes on and its results at its end. */
async function answer(
  call: ProgressCall,
  work: (
    operation: Operation,
    onProgress: ProgressWriter['report'],
    onWarning: (message: string) => void,
  ) => Promise<readonly Result[]>,
): Promise<void> {
  const progress = new ProgressWriter(call);
  const warnings: string[] = [];
  try {
    const results = await work(operationOf(call), progress.report, (warning) => void warnings.push(warning));
    await progress.flush();
    for (const value of warnings) await writeMessage(call, { progress: { $case: 'warning', value } });
    for (const result of results) await writeMessage(call, { progress: result });
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
