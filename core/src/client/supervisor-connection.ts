import {
  Client,
  credentials,
  Metadata,
  status as Status,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { isBoxError, BoxError } from '../errors/box-error.js';
import { CODE_TRAILER, fromServiceError } from '../errors/grpc.js';
import { HelloRequest, SupervisorService, type HelloResponse } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { unary, type UnaryMethod } from '../rpc/unary.js';
import type { HomeLayout } from '../store/home-layout.js';
import { SUPERVISOR_PROTOCOL_MINOR } from './protocol-version.js';

const CHANNEL_OPTIONS = {
  // A new connection must not wait out the backoff of an earlier one.
  'grpc.use_local_subchannel_pool': 1,
  // Buffers for retries would answer for data that the supervisor has not taken.
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
};

/** What the generated service definitions say of a call with streams. */
interface StreamMethod<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

/** One HTTP/2 connection to the supervisor of a home. */
export class SupervisorConnection {
  readonly #client: Client;
  readonly #layout: HomeLayout;

  constructor(layout: HomeLayout) {
    this.#layout = layout;
    this.#client = new Client(`unix:${layout.supervisorSocket}`, credentials.createInsecure(), CHANNEL_OPTIONS);
  }

  /**
   * The first call.
   * @param version of the client's package
   * @param distribution file that the client asks for; empty for none
   * @throws SUPERVISOR_INCOMPATIBLE, SUPERVISOR_UNREACHABLE
   */
  async hello(version: string, distribution: string, signal?: AbortSignal): Promise<HelloResponse> {
    try {
      const request = HelloRequest.create({ protocolMinor: SUPERVISOR_PROTOCOL_MINOR, version, distribution });
      return await this.call(SupervisorService.hello, request, signal);
    } catch (error) {
      if (!isBoxError(error) || error.code !== 'UNSUPPORTED') throw error;
      throw incompatible('the supervisor that runs speaks another protocol', error);
    }
  }

  /** One unary call. @throws BoxError of the supervisor */
  async call<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    signal?: AbortSignal,
  ): Promise<Response> {
    try {
      return await unary(this.#client, method, request, { signal, unavailable: 'SUPERVISOR_UNREACHABLE' });
    } catch (error) {
      throw this.#withLog(isBoxError(error) ? peerError(error.cause, signal) : error);
    }
  }

  /** A call with streams both ways. @param signal cancels it, at any time */
  stream<Request, Response>(
    { path, requestSerialize, responseDeserialize }: StreamMethod<Request, Response>,
    signal?: AbortSignal,
  ): ClientDuplexStream<Request, Response> {
    return cancelOn(
      signal,
      this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), {}),
    );
  }

  /** A call with one request and many responses. @param signal cancels it, at any time */
  serverStream<Request, Response>(
    { path, requestSerialize, responseDeserialize }: StreamMethod<Request, Response>,
    request: Request,
    signal?: AbortSignal,
  ): ClientReadableStream<Response> {
    const metadata = new Metadata();
    return cancelOn(
      signal,
      this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata, {}),
    );
  }

  /** Ends all calls. Idempotent. */
  close(): void {
    this.#client.close();
  }

  #withLog(error: unknown): unknown {
    if (!isBoxError(error) || error.code !== 'SUPERVISOR_UNREACHABLE' || error.hint !== undefined) return error;
    return new BoxError(error.code, `the supervisor went away: ${error.message}`, {
      hint: `its log is ${this.#layout.supervisorLog}`,
      cause: error,
    });
  }
}

type StreamCall = { cancel(): void; once(event: 'status', listener: () => void): unknown };

function cancelOn<T extends StreamCall>(signal: AbortSignal | undefined, call: T): T {
  const cancel = () => call.cancel();
  if (signal?.aborted) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  call.once('status', () => signal?.removeEventListener('abort', cancel));
  return call;
}

/**
 * The error that a call ended with.
 * @param error of grpc-js
 * @param signal what this side would have cancelled the call with; any other cancelling is a supervisor's that ends
 */
export function peerError(error: unknown, signal: AbortSignal | undefined): BoxError {
  const status = error as ServiceError;
  const ended = status.code === Status.CANCELLED && !signal?.aborted && status.metadata?.get(CODE_TRAILER).length === 0;
  if (ended) return new BoxError('SUPERVISOR_UNREACHABLE', 'the supervisor ended the call', { cause: error });
  return fromServiceError(status, { unavailable: 'SUPERVISOR_UNREACHABLE' });
}

function incompatible(message: string, cause?: unknown): BoxError {
  return new BoxError('SUPERVISOR_INCOMPATIBLE', message, {
    hint: 'when no box runs any more, end it and try again: it is started anew',
    cause,
  });
}
