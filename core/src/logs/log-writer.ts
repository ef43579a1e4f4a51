import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxError } from '../errors/box-error.js';
import { logFailure } from './log-failure.js';
import { logFileName, rotateLogFiles } from './log-files.js';
import { LogNotifier, type LogFollow } from './log-follow.js';
import {
  DEFAULT_LOG_LIMITS,
  LOG_STREAMS,
  MAX_RECORD_DATA,
  MIN_FILE_BYTES,
  type LogChunk,
  type LogLimits,
  type StreamOffsets,
} from './log-record.js';
import { recoverLog, type LogEnd } from './log-recovery.js';
import { RecordEncoder } from './record-encoder.js';
import { RecordTimeFormat } from './record-time.js';

/** Bytes written at once; encoding as many takes about a millisecond. */
const BATCH_BYTES = 256 * 1024;
/** A stream that is silent for this many bytes of a file gets a checkpoint, so that recovery never reads far. */
const CHECKPOINT_BYTES = 1024 * 1024;

/** Where the log goes on with all that was encoded; written once its batch is. */
type WriteEnd = { -readonly [K in keyof LogEnd]: LogEnd[K] };

interface PendingAppend {
  readonly chunk: LogChunk;
  readonly resolve: () => void;
  readonly reject: (error: BoxError) => void;
}

/** Appends a box's output to its log files. One writer at a time has a directory. Readers in this process follow it. */
export class LogWriter implements LogFollow, AsyncDisposable {
  readonly #directory: string;
  readonly #limits: LogLimits;
  readonly #notifier = new LogNotifier();
  readonly #time = new RecordTimeFormat();
  /** Undefined after a failure, until it is known again what the files hold. */
  #end: WriteEnd | undefined;
  #written: StreamOffsets;
  readonly #pending: PendingAppend[] = [];
  #encoded: PendingAppend[] = [];
  #working: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(directory: string, limits: LogLimits, end: LogEnd) {
    this.#directory = directory;
    this.#limits = limits;
    this.#end = { ...end };
    this.#written = { ...end.next };
  }

  /**
   * Opens a log, which need not exist, and repairs what a crash left.
   *
   * @param directory absolute; made by the first append, mode 0700
   * @throws BoxError INVALID_ARGUMENT for limits that cannot be kept; PERMISSION_DENIED, INTERNAL of the file system
   */
  static async open(directory: string, limits: LogLimits = DEFAULT_LOG_LIMITS): Promise<LogWriter> {
    checkLimits(limits);
    try {
      return new LogWriter(directory, limits, await recoverLog(directory));
    } catch (error) {
      throw logFailure(error, directory, 'open');
    }
  }

  get version(): number {
    return this.#notifier.version;
  }

  get ended(): boolean {
    return this.#notifier.ended;
  }

  beyond(version: number, signal?: AbortSignal): Promise<void> {
    return this.#notifier.beyond(version, signal);
  }

  /** Next offset of each stream: all below it is in the files. Attach to the guest from here. */
  get resume(): StreamOffsets {
    return this.#written;
  }

  /**
   * Appends output. Resolves when it is in the file (not necessarily on the disk); what was appended before is skipped.
   * Appends are written in the order of their calls; after a failure the same chunk may be appended again.
   *
   * @throws BoxError DISK_FULL; INTERNAL when output is missing before the chunk; CONFLICT after `close`;
   * PERMISSION_DENIED, INTERNAL of the file system
   */
  append(chunk: LogChunk): Promise<void> {
    if (this.#closed) {
      return Promise.reject(new BoxError('CONFLICT', `log ${this.#directory}: append to a log that was closed`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pending.push({ chunk, resolve, reject });
    this.#working ??= this.#work();
    return promise;
  }

  /** No more output will come: followers end when they have read what there is. */
  end(): void {
    this.#notifier.end();
  }

  /** Writes what was appended, closes the file and ends the followers. Idempotent. */
  close(): Promise<void> {
    return (this.#closed ??= this.#finish());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #finish(): Promise<void> {
    try {
      await this.#working;
      await this.#end?.file?.close();
    } finally {
      this.end();
    }
  }

  async #work(): Promise<void> {
    while (this.#pending.length > 0) {
      try {
        await this.#writeBatch();
      } catch (error) {
        await this.#fail(logFailure(error, this.#directory, 'append'));
      }
    }
    this.#working = undefined;
  }

  async #writeBatch(): Promise<void> {
    const end = (this.#end ??= { ...(await recoverLog(this.#directory)) });
    const encoder = this.#encoder(Math.min(BATCH_BYTES, this.#limits.maxFileBytes - end.size));
    const complete = this.#encode(end, encoder);
    if (encoder.bytes > 0) {
      end.file ??= await createFile(this.#directory);
      await writeAll(end.file, encoder.finish());
      end.size += encoder.bytes;
      this.#written = { ...end.next };
    } else if (!complete) {
      await this.#rotate(end);
    }
    for (const { resolve } of this.#encoded.splice(0)) resolve();
    if (encoder.bytes > 0) this.#notifier.notify();
  }

  #encoder(limit: number): RecordEncoder {
    // An eighth, so that a record fits into a small file even when each of its bytes is escaped by six.
    const maxData = Math.min(MAX_RECORD_DATA, Math.floor(this.#limits.maxFileBytes / 8));
    return new RecordEncoder({ limit, maxData, time: this.#time });
  }

  /** Encodes what is pending while there is room. @returns whether that was all */
  #encode(end: WriteEnd, encoder: RecordEncoder): boolean {
    for (let append = this.#pending[0]; append; append = this.#pending[0]) {
      try {
        if (!this.#encodeOne(end, encoder, append.chunk)) return false;
        this.#encoded.push(append);
      } catch (error) {
        append.reject(logFailure(error, this.#directory, 'append'));
      }
      this.#pending.shift();
    }
    return true;
  }

  /** @returns whether there was room for all of the chunk */
  #encodeOne(end: WriteEnd, encoder: RecordEncoder, chunk: LogChunk): boolean {
    const { stream, offset, data, timeNs } = chunk;
    const skip = end.next[stream] - offset;
    if (skip < 0n) throw gap(this.#directory, chunk, end.next[stream]);
    if (skip >= data.length) return true;
    if (!this.#encodeCheckpoints(end, encoder, timeNs)) return false;
    const start = end.size + encoder.bytes;
    const taken = encoder.add(chunk, Number(skip));
    if (taken > Number(skip)) end.last[stream] = start;
    end.next[stream] = offset + BigInt(taken);
    return taken === data.length;
  }

  #encodeCheckpoints(end: WriteEnd, encoder: RecordEncoder, timeNs: bigint): boolean {
    for (const stream of LOG_STREAMS) {
      const position = end.size + encoder.bytes;
      if (position - end.last[stream] < CHECKPOINT_BYTES) continue;
      if (!encoder.addCheckpoint({ stream, offset: end.next[stream], timeNs })) return false;
      end.last[stream] = position;
    }
    return true;
  }

  /** The new file begins with both streams' offsets, so that they outlive the files before it. */
  async #rotate(end: WriteEnd): Promise<void> {
    const encoder = this.#encoder(this.#limits.maxFileBytes);
    const timeNs = this.#pending[0]?.chunk.timeNs ?? 0n;
    for (const stream of LOG_STREAMS) {
      end.last[stream] = encoder.bytes;
      encoder.addCheckpoint({ stream, offset: end.next[stream], timeNs });
    }
    const old = end.file;
    end.file = await rotateLogFiles(this.#directory, this.#limits.maxFiles, encoder.finish());
    end.size = encoder.bytes;
    await old?.close();
  }

  /** What was written whole stays and counts; the rest of what waits is refused, for it would leave a gap. */
  async #fail(failure: BoxError): Promise<void> {
    const waiting = [...this.#encoded.splice(0), ...this.#pending.splice(0)];
    const broken = this.#end?.file;
    this.#end = undefined;
    try {
      await broken?.close();
      this.#end = { ...(await recoverLog(this.#directory)) };
      this.#written = { ...this.#end.next };
      this.#notifier.notify();
    } catch {
      // The next append tries to recover again, and tells why it cannot.
    }
    for (const { chunk, resolve, reject } of waiting) {
      const isWritten = chunk.offset + BigInt(chunk.data.length) <= this.#written[chunk.stream];
      if (isWritten) resolve();
      else reject(failure);
    }
  }
}

async function createFile(directory: string): Promise<FileHandle> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return open(join(directory, logFileName(0)), 'a+', 0o600);
}

async function writeAll(file: FileHandle, data: Buffer): Promise<void> {
  for (let start = 0; start < data.length;) {
    const { bytesWritten } = await file.write(data, start, data.length - start);
    start += bytesWritten;
  }
}

function gap(directory: string, { stream, offset }: LogChunk, next: bigint): BoxError {
  return new BoxError(
    'INTERNAL',
    `log ${directory}: ${stream} goes on at offset ${offset}, but was written up to ${next}`,
    { details: { directory, stream, offset: String(offset), next: String(next) } },
  );
}

function checkLimits({ maxFileBytes, maxFiles }: LogLimits): void {
  if (!Number.isSafeInteger(maxFileBytes) || maxFileBytes < MIN_FILE_BYTES) {
    throw new BoxError('INVALID_ARGUMENT', `log limits: a file must have at least ${MIN_FILE_BYTES} bytes`, {
      details: { maxFileBytes },
    });
  }
  if (!Number.isSafeInteger(maxFiles) || maxFiles < 1) {
    throw new BoxError('INVALID_ARGUMENT', 'log limits: at least 1 file must be kept', { details: { maxFiles } });
  }
}
