import { Metadata, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import { BoxError } from '../errors/box-error.js';
import { fromServiceError } from '../errors/grpc.js';
import {
  AttachRequest,
  ExecService,
  Stream,
  type AttachOpen,
  type AttachResponse,
  type ExitStatus,
} from '../gen/a3s/box/agent/v1/agent.js';
import type { AgentSession } from './agent-session.js';

/** Output is acknowledged in steps of this many bytes; well below the guest's window of 1 MiB. */
const ACKNOWLEDGE_STEP = 128n * 1024n;
/** Stdin travels in messages of at most this many bytes. */
const STDIN_MESSAGE = 64 * 1024;

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  /** Absolute offset of the first byte in its stream. */
  readonly offset: bigint;
  /** When the guest read it, nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
  readonly data: Buffer;
}

/**
 * One attachment to the streams of a process in the guest. All that arrives is queued here; the guest sends no more
 * than its window beyond what was acknowledged, which bounds the queue.
 */
export class ProcessAttachment {
  readonly #call: ClientDuplexStream<AttachRequest, AttachResponse>;
  readonly #opened = Promise.withResolvers<boolean>();
  readonly #exited = Promise.withResolvers<ExitStatus>();
  readonly #queue: OutputChunk[] = [];
  readonly #taken: { stdout: bigint; stderr: bigint };
  readonly #acknowledged: { stdout: bigint; stderr: bigint };
  #stdinOffset = 0n;
  #stdinLimit = 0n;
  #failure: BoxError | undefined;
  #finished = false;
  #changed = Promise.withResolvers<void>();

  constructor(session: AgentSession, open: AttachOpen) {
    this.#taken = { stdout: 0n, stderr: 0n, ...open.from };
    this.#acknowledged = { ...this.#taken };
    const { path, requestSerialize, responseDeserialize } = ExecService.attach;
    this.#call = session.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), {});
    this.#opened.promise.catch(() => {});
    this.#exited.promise.catch(() => {});
    this.#call.on('data', (response: AttachResponse) => this.#receive(response));
    this.#call.on('error', (error: ServiceError) =>
      this.#finish(fromServiceError(error, { unavailable: 'AGENT_UNREACHABLE' })),
    );
    this.#call.on('end', () => this.#finish());
    this.#send({ $case: 'open', value: open });
  }

  /** Resolves, when the guest has joined this attachment to the process, with whether it has a terminal. */
  get opened(): Promise<boolean> {
    return this.#opened.promise;
  }

  /** How the process ended; resolves after its last output is in the queue. */
  get exited(): Promise<ExitStatus> {
    return this.#exited.promise;
  }

  /** Output in the order of its arrival, to its end. For one reader; taking the next chunk acknowledges the one before. */
  async *output(): AsyncGenerator<OutputChunk, void, void> {
    for (;;) {
      const chunk = this.#queue.shift();
      if (chunk) {
        yield chunk;
        this.#acknowledge(chunk);
      } else if (this.#failure) {
        throw this.#failure;
      } else if (this.#finished) {
        return;
      } else {
        await this.#changed.promise;
      }
    }
  }

  /** Writes to the process's stdin; resolves when the guest has room for more. @throws what ended the attachment */
  async writeStdin(data: Buffer): Promise<void> {
    for (let start = 0; start < data.length;) {
      const room = this.#stdinLimit - this.#stdinOffset;
      if (room <= 0n) {
        this.#assertAlive();
        await this.#changed.promise;
        continue;
      }
      const length = Math.min(STDIN_MESSAGE, data.length - start, Number(room));
      const piece = data.subarray(start, start + length);
      this.#send({ $case: 'stdin', value: { offset: this.#stdinOffset, data: piece } });
      this.#stdinOffset += BigInt(length);
      start += length;
    }
  }

  /** Closes the process's stdin after what was written. */
  endStdin(): void {
    if (!this.#finished) this.#send({ $case: 'stdinEndOffset', value: this.#stdinOffset });
  }

  /** Leaves the process alone and ends the attachment. Idempotent. */
  close(): void {
    this.#call.cancel();
  }

  #assertAlive(): void {
    if (this.#failure) throw this.#failure;
    if (this.#finished) throw new BoxError('CONFLICT', 'stdin of the process is closed: it has ended');
  }

  #send(request: NonNullable<AttachRequest['request']>): void {
    this.#call.write(AttachRequest.create({ request }));
  }

  #receive({ response }: AttachResponse): void {
    switch (response?.$case) {
      case 'opened':
        this.#stdinOffset = response.value.stdinWindow?.accepted ?? 0n;
        this.#stdinLimit = response.value.stdinWindow?.limit ?? 0n;
        this.#opened.resolve(response.value.terminal);
        // The reader before this one may have died between taking it and saying so, and the process wait for room.
        if (this.#taken.stdout > 0n || this.#taken.stderr > 0n) this.#sendTaken();
        break;
      case 'output': {
        const { stream, offset, timeNs, data } = response.value;
        this.#queue.push({ stream: stream === Stream.STDERR ? 'stderr' : 'stdout', offset, timeNs, data });
        break;
      }
      case 'stdinWindow':
        this.#stdinLimit = response.value.limit;
        break;
      case 'exited':
        this.#exited.resolve(response.value);
        this.#finish();
        break;
      case 'outputEnd':
      case undefined:
        // The exit comes last and says as much; messages of later minor versions are not ours to judge.
        break;
    }
    this.#wake();
  }

  #acknowledge(chunk: OutputChunk): void {
    this.#taken[chunk.stream] = chunk.offset + BigInt(chunk.data.length);
    const pending = this.#taken[chunk.stream] - this.#acknowledged[chunk.stream];
    if (pending < ACKNOWLEDGE_STEP || this.#finished) return;
    this.#acknowledged[chunk.stream] = this.#taken[chunk.stream];
    this.#sendTaken();
  }

  #sendTaken(): void {
    this.#send({ $case: 'acknowledge', value: { ...this.#taken } });
  }

  #finish(failure?: BoxError): void {
    if (this.#finished) return;
    this.#finished = true;
    const ended = failure ?? new BoxError('AGENT_UNREACHABLE', 'the attachment ended before the process did');
    if (failure) this.#failure = failure;
    this.#opened.reject(ended);
    this.#exited.reject(ended);
    this.#call.end();
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
