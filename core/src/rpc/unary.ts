import { Metadata, type Client, type ServiceError } from '@grpc/grpc-js';
import type { ErrorCode } from '../errors/error-table.js';
import { fromServiceError } from '../errors/grpc.js';

/** What the generated service definitions say of a call. */
export interface UnaryMethod<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

export interface UnaryOptions {
  /** Code of a peer that cannot be reached or went away. */
  readonly unavailable: ErrorCode;
  /** Cancels the call, which then rejects with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes one unary call.
 * @throws BoxError rebuilt from the peer's status
 */
export function unary<Request, Response>(
  client: Client,
  method: UnaryMethod<Request, Response>,
  request: Request,
  { signal, unavailable }: UnaryOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const done = (error: ServiceError | null, response?: Response) => {
      signal?.removeEventListener('abort', cancel);
      if (error) reject(fromServiceError(error, { unavailable }));
      else resolve(response as Response);
    };
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      {},
      done,
    );
    const cancel = () => call.cancel();
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
  });
}
