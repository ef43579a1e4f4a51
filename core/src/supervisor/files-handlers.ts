import type { ServerReadableStream, sendUnaryData } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import { BoxCommits } from '../box/box-commits.js';
import { BoxFiles } from '../box/box-files.js';
import { BoxService } from '../box/box-service.js';
import { BoxError } from '../errors/box-error.js';
import { toServiceError } from '../errors/grpc.js';
import type {
  FileChanges,
  FilesServer,
  WriteFilesOpen,
  WriteFilesRequest,
  WriteFilesResponse,
} from '../gen/a3s/box/supervisor/v1/files.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { answerEach, unaryHandler } from './grpc-handlers.js';

/** The Files service of the supervisor protocol. */
@injectable()
export class FilesHandlers {
  constructor(
    private readonly boxes: BoxService,
    private readonly files: BoxFiles,
    private readonly commits: BoxCommits,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  handlers(): FilesServer {
    const { boxes, files, logger } = this;
    return {
      stat: unaryHandler(logger, async ({ box, path }, context) => ({
        entry: await files.stat(boxes.find(box), path, context),
      })),
      read: (call) =>
        void answerEach(
          call,
          (signal) => {
            const { box, ...request } = call.request;
            return files.read(boxes.find(box), request, { signal });
          },
          (items) => ({ items }),
        ),
      write: (call, callback) => void this.#write(call, callback),
      changes: (call) =>
        void answerEach(
          call,
          (signal) => files.changes(boxes.find(call.request.box), { signal }),
          (changes): FileChanges => ({ changes }),
        ),
      commit: unaryHandler(logger, async ({ box, name, author, message, changes, withoutPause }, { signal }) => {
        const image = await this.commits.commit(boxes.find(box), {
          changes,
          pause: !withoutPause,
          signal,
          ...(name !== '' && { name }),
          ...(author !== '' && { author }),
          ...(message !== '' && { message }),
        });
        return { image: image.id };
      }),
    };
  }

  async #write(
    call: ServerReadableStream<WriteFilesRequest, WriteFilesResponse>,
    callback: sendUnaryData<WriteFilesResponse>,
  ): Promise<void> {
    const cancelled = new AbortController();
    call.on('cancelled', () => cancelled.abort());
    try {
      const requests = call[Symbol.asyncIterator]() as AsyncIterator<WriteFilesRequest>;
      const { box, ...target } = await firstRequest(requests);
      const { signal } = cancelled;
      callback(null, { bytes: await this.files.write(this.boxes.find(box), target, batches(requests), { signal }) });
    } catch (error) {
      callback(Object.assign(new Error(), toServiceError(error, new Metadata())));
    }
  }
}

async function firstRequest(requests: AsyncIterator<WriteFilesRequest>): Promise<WriteFilesOpen> {
  const first = await requests.next();
  const request = first.done ? undefined : first.value.request;
  if (request?.$case === 'open') return request.value;
  throw new BoxError('INVALID_ARGUMENT', 'write: the first message was not "open"');
}

async function* batches(requests: AsyncIterator<WriteFilesRequest>): AsyncGenerator<Buffer, void, void> {
  for (let next = await requests.next(); !next.done; next = await requests.next()) {
    if (next.value.request?.$case !== 'batch')
      throw new BoxError('INVALID_ARGUMENT', 'write: a message holds no files');
    yield next.value.request.value.items;
  }
}
