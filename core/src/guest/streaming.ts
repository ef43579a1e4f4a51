/** Calls of the agent with a stream on one side. */
import { once } from 'node:events';
import { Metadata, type ClientReadableStream, type ClientWritableStream, type ServiceError } from '@grpc/grpc-js';
import { fromServiceError } from '../errors/grpc.js';
import type { AgentSession } from './agent-session.js';

interface StreamMethod<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

/**
 * The answers to one request; taken no faster than they are read. Whoever stops reading ends the call.
 * @throws BoxError from the guest, AGENT_UNREACHABLE when the session ended, CANCELLED
 */
export async function* answersOf<Request, Response>(
  session: AgentSession,
  { path, requestSerialize, responseDeserialize }: StreamMethod<Request, Response>,
  request: Request,
  signal?: AbortSignal,
): AsyncGenerator<Response, void, void> {
  const call: ClientReadableStream<Response> = session.client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    new Metadata(),
    {},
  );
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  if (signal?.aborted) cancel();
  try {
    for await (const answer of call as AsyncIterable<Response>) yield answer;
  } catch (error) {
    throw fromServiceError(error as ServiceError, { unavailable: 'AGENT_UNREACHABLE' });
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}

/**
 * Sends requests one after the other, each when there is room for it, and waits for the answer. One that comes early ends
 * the sending.
 * @throws BoxError from the guest, what the requests throw, AGENT_UNREACHABLE when the session ended, CANCELLED
 */
export async function sendAll<Request, Response>(
  session: AgentSession,
  { path, requestSerialize, responseDeserialize }: StreamMethod<Request, Response>,
  requests: AsyncIterable<Request>,
  signal?: AbortSignal,
): Promise<Response> {
  const answer = Promise.withResolvers<Response>();
  answer.promise.catch(() => {});
  let answered = false;
  const call: ClientWritableStream<Request> = session.client.makeClientStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    new Metadata(),
    {},
    (error, response) => {
      answered = true;
      if (error) answer.reject(fromServiceError(error, { unavailable: 'AGENT_UNREACHABLE' }));
      else answer.resolve(response as Response);
    },
  );
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  if (signal?.aborted) cancel();
  try {
    for await (const request of requests) {
      if (answered) break;
      const settled = answer.promise.catch(() => {});
      if (!call.write(request)) await Promise.race([once(call, 'drain').catch(() => {}), settled]);
    }
    call.end();
    return await answer.promise;
  } catch (error) {
    call.cancel();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
