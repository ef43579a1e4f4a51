import {
  Metadata,
  type handleUnaryCall,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { toServiceError } from '../errors/grpc.js';
import type { Logger } from '../ports/logger.js';

/** What a handler is given beside the request. */
export interface CallContext {
  /** Fires when the client gives up or goes away. */
  readonly signal: AbortSignal;
}

/** Makes a unary gRPC handler of an async function. Errors become statuses; those of ours that have no code are logged. */
export function unaryHandler<Request, Response>(
  logger: Logger,
  handle: (request: Request, context: CallContext) => Promise<Response> | Response,
): handleUnaryCall<Request, Response> {
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => {
    const cancelled = new AbortController();
    call.on('cancelled', () => cancelled.abort());
    const answer = async () => handle(call.request, { signal: cancelled.signal });
    answer().then(
      (response) => callback(null, response),
      (error: unknown) => {
        logger.debug({ error, path: call.getPath() }, 'a call failed');
        callback(Object.assign(new Error(), toServiceError(error, new Metadata())));
      },
    );
  };
}

type ResponseStream<Request, Response> =
  ServerDuplexStream<Request, Response> | ServerWritableStream<Request, Response>;

/** Ends a stream with the status that an error stands for. */
export function failStream<Request, Response>(call: ResponseStream<Request, Response>, error: unknown): void {
  call.emit('error', toServiceError(error, new Metadata()));
}

/** Writes one message and waits for room for the next. Returns when the client is gone, too. */
export async function writeMessage<Request, Response>(
  call: ResponseStream<Request, Response>,
  message: Response,
): Promise<void> {
  if (call.cancelled || call.destroyed || call.write(message)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      call.off('drain', done).off('close', done).off('cancelled', done);
      resolve();
    };
    call.on('drain', done).on('close', done).on('cancelled', done);
  });
}

/** Sends what comes, no faster than the client takes it; a client that goes away ends it. */
export async function answerEach<Request, Response, T>(
  call: ServerWritableStream<Request, Response>,
  start: (signal: AbortSignal) => AsyncIterable<T>,
  message: (value: T) => Response,
): Promise<void> {
  const cancelled = new AbortController();
  call.on('cancelled', () => cancelled.abort());
  try {
    for await (const value of start(cancelled.signal)) await writeMessage(call, message(value));
    call.end();
  } catch (error) {
    failStream(call, error);
  }
}
