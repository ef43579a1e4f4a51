import { Writable } from 'node:stream';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import { AttachRequest, Stream, type AttachResponse } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { ExitStatus } from './records.js';
import { exitStatusFrom } from './record-conversion.js';
import { peerError } from './supervisor-connection.js';

/** Stdin travels in messages of at most this many bytes. */
const STDIN_MESSAGE = 64 * 1024;

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

type Call = ClientDuplexStream<AttachRequest, AttachResponse>;

interface OpenOptions {
  /** Becomes the attachment's. */
  readonly call: Call;
  /** Whether stdin will be written. */
  readonly stdin: boolean;
  /** What cancels the call, if anything does. */
  readonly signal: AbortSignal | undefined;
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
  readonly #signal: AbortSignal | undefined;
  readonly #responses: AsyncIterator<AttachResponse>;
  readonly #exited = Promise.withResolvers<ExitStatus>();
  #finished = false;

  private constructor(
    { call, stdin, signal }: OpenOptions,
    responses: AsyncIterator<AttachResponse>,
    terminal: boolean,
  ) {
    this.#call = call;
    this.#signal = signal;
    this.#responses = responses;
    this.terminal = terminal;
    this.stdin = stdin ? stdinOf(call) : refusingStdin();
    this.exited = this.#exited.promise;
    // Whoever reads the output sees the failure there too; without this, not awaiting `exited` would end the program.
    this.exited.catch(() => {});
    // A failed write is the end of the call, which `output` and `exited` tell of.
    this.stdin.on('error', () => {});
    call.on('error', () => {});
  }

  /**
   * Joins a call, on which the request was sent, to the process.
   * @internal
   * @throws BoxError of the peer
   */
  static async open(options: OpenOptions): Promise<Attachment> {
    const { call, signal } = options;
    const responses = call[Symbol.asyncIterator]() as AsyncIterator<AttachResponse>;
    try {
      const first = await responses.next();
      if (!first.done && first.value.response?.$case === 'attached') {
        return new Attachment(options, responses, first.value.response.value.terminal);
      }
      throw new BoxError('INTERNAL', 'the supervisor did not say that the streams are joined');
    } catch (error) {
      call.cancel();
      throw isBoxError(error) ? error : peerError(error, signal);
    }
  }

  /** Output in its order, to the process's end. For one reader at a time; a reader that stops leaves the rest unread. */
  get output(): AsyncIterable<OutputChunk> {
    return { [Symbol.asyncIterator]: () => this.#read() };
  }

  /** Leaves the process (its owner's box is stopped) and gives up the streams. Idempotent. */
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

  async #next(): Promise<AttachResponse['response']> {
    try {
      const next = await this.#responses.next();
      if (!next.done) return next.value.response;
      throw new BoxError('SUPERVISOR_UNREACHABLE', 'the supervisor ended the streams before the process did');
    } catch (error) {
      const failure = isBoxError(error) ? error : peerError(error, this.#signal);
      this.#finish(failure);
      throw failure;
    }
  }

  #finish(failure?: BoxError): void {
    if (this.#finished) return;
    this.#finished = true;
    this.stdin.destroy();
    if (failure) this.#exited.reject(failure);
  }
}

function stdinOf(call: Call): Writable {
  const send = (request: AttachRequest['request'], done: (error?: Error | null) => void) =>
    call.write(AttachRequest.create({ request }), done);
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
