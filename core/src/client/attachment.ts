import { Writable } from 'node:stream';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { BoxError } from '../errors/box-error.js';
import {
  Stream,
  type AttachRequest,
  type AttachResponse,
  type RunRequest,
  type RunResponse,
} from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { ExitStatus } from './records.js';
import { exitStatusFrom } from './record-conversion.js';
import { peerError } from './supervisor-connection.js';

/** Stdin travels in messages of at most this many bytes. */
const STDIN_MESSAGE = 64 * 1024;

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** A call that carries a process's streams: an `Attach`, or a `Run` after its box was started. */
export type StreamsCall =
  ClientDuplexStream<AttachRequest, AttachResponse> | ClientDuplexStream<RunRequest, RunResponse>;
type Call = ClientDuplexStream<AttachRequest | RunRequest, AttachResponse | RunResponse>;
export type StreamsResponse = (AttachResponse | RunResponse)['response'];

interface AttachmentOptions {
  /** Becomes the attachment's. */
  readonly call: StreamsCall;
  /** Whether stdin will be written. */
  readonly stdin: boolean;
  /** What cancels the call, if anything does. */
  readonly signal: AbortSignal | undefined;
}

/** The messages of a call, in their order. */
export class StreamsResponses {
  readonly #responses: AsyncIterator<AttachResponse | RunResponse>;
  readonly #signal: AbortSignal | undefined;

  constructor(call: StreamsCall, signal: AbortSignal | undefined) {
    this.#responses = call[Symbol.asyncIterator]() as AsyncIterator<AttachResponse | RunResponse>;
    this.#signal = signal;
    // Whoever reads the messages sees the failure there.
    call.on('error', () => {});
  }

  /** @throws BoxError of the peer, also when the call ended */
  async next(): Promise<StreamsResponse> {
    try {
      const next = await this.#responses.next();
      if (!next.done) return next.value.response;
    } catch (error) {
      throw peerError(error, this.#signal);
    }
    throw new BoxError('SUPERVISOR_UNREACHABLE', 'the supervisor ended the streams before the process did');
  }

  /** The value of the next message, which has to be of this kind. */
  async expect<K extends NonNullable<StreamsResponse>['$case']>(
    kind: K,
  ): Promise<Extract<NonNullable<StreamsResponse>, { $case: K }>['value']> {
    const response = await this.next();
    if (response?.$case === kind) return response.value as never;
    throw new BoxError('INTERNAL', `the supervisor sent "${response?.$case}" where "${kind}" was due`);
  }
}

/**
 * The streams of a process in a box. Nothing is kept without a bound: output that is not read stops the process when
 * it writes more, and `stdin` takes data as fast as the process does. Owned by the caller, who closes it.
 */
export class Attachment implements Disposable {
  /** Whether the process has a terminal; all its output is then `stdout`. */
  readonly terminal: boolean;
  /** Stdin of the process. Ending it closes the process's; it is destroyed when the process has ended. */
  readonly stdin: Writable;
  /** How the process ended. Settles after its last output was read, so read `output` to its end. */
  readonly exited: Promise<ExitStatus>;
  readonly #call: Call;
  readonly #responses: StreamsResponses;
  readonly #exited = Promise.withResolvers<ExitStatus>();
  #finished = false;

  /**
   * @internal
   * @param responses what is left of the call's messages: output, and the exit
   */
  constructor({ call, stdin }: AttachmentOptions, responses: StreamsResponses, terminal: boolean) {
    this.#call = call as Call;
    this.#responses = responses;
    this.terminal = terminal;
    this.stdin = stdin ? stdinOf(this.#call) : refusingStdin();
    this.exited = this.#exited.promise;
    // Whoever reads the output sees the failure there too; without this, not awaiting `exited` would end the program.
    this.exited.catch(() => {});
    // A failed write is the end of the call, which `output` and `exited` tell of.
    this.stdin.on('error', () => {});
  }

  /**
   * Joins an `Attach`, on which the request was sent, to the process.
   * @internal
   * @throws BoxError of the peer
   */
  static async open(options: AttachmentOptions): Promise<Attachment> {
    const responses = new StreamsResponses(options.call, options.signal);
    try {
      const { terminal } = await responses.expect('attached');
      return new Attachment(options, responses, terminal);
    } catch (error) {
      options.call.cancel();
      throw error;
    }
  }

  /** Output in its order, to the process's end. For one reader at a time; a reader that stops leaves the rest unread. */
  get output(): AsyncIterable<OutputChunk> {
    return { [Symbol.asyncIterator]: () => this.#read() };
  }

  /** Leaves the process alone and gives up the streams. Idempotent. */
  close(): void {
    this.#finish(new BoxError('CANCELLED', 'the attachment was closed'));
    this.#call.cancel();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async *#read(): AsyncGenerator<OutputChunk, void, void> {
    while (!this.#finished) {
      const response = await this.#next();
      if (response?.$case === 'output') {
        const { stream, data } = response.value;
        yield { stream: stream === Stream.STDERR ? 'stderr' : 'stdout', data };
      } else if (response?.$case === 'exited') {
        this.#exited.resolve(exitStatusFrom(response.value));
        this.#finish();
        this.#call.end();
      }
    }
  }

  async #next(): Promise<StreamsResponse> {
    try {
      return await this.#responses.next();
    } catch (error) {
      this.#finish(error);
      throw error;
    }
  }

  #finish(failure?: unknown): void {
    if (this.#finished) return;
    this.#finished = true;
    this.stdin.destroy();
    if (failure) this.#exited.reject(failure);
  }
}

function stdinOf(call: Call): Writable {
  const send = (request: AttachRequest['request'] & RunRequest['request'], done: (error?: Error | null) => void) =>
    call.write({ request }, done);
  return new Writable({
    highWaterMark: STDIN_MESSAGE,
    write(chunk: Buffer, _encoding, done) {
      const next = (start: number) => {
        const value = chunk.subarray(start, start + STDIN_MESSAGE);
        const end = start + value.length;
        send({ $case: 'stdin', value }, (error) => (error || end >= chunk.length ? done(error) : next(end)));
      };
      next(0);
    },
    final(done) {
      send({ $case: 'stdinEnd', value: {} }, done);
    },
  });
}

function refusingStdin(): Writable {
  return new Writable({
    write(_chunk, _encoding, done) {
      done(new BoxError('CONFLICT', 'stdin was not attached', { hint: 'attach with stdin: true' }));
    },
  });
}
