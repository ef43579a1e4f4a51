import { BoxError } from '../errors/box-error.js';
import type { Logger } from '../ports/logger.js';
import type { LogRecord, LogStream } from './log-record.js';

/** Output that a reader would have come to and that is not in the files any more. */
export interface LostOutput {
  readonly stream: LogStream;
  /** Absolute offset of the first byte that is missing. */
  readonly offset: bigint;
  readonly bytes: bigint;
}

export interface LogProblemsOptions {
  readonly directory: string;
  readonly logger: Logger;
  readonly onLost: ((lost: LostOutput) => void) | undefined;
}

/** Tells what is wrong in the files of a log; reading goes on. */
export class LogProblems {
  readonly #options: LogProblemsOptions;
  /** Where each stream goes on; -1 before its first record. Numbers, for offsets in files are, and they are faster. */
  readonly #next: Record<LogStream, number> = { stdout: -1, stderr: -1 };
  #corrupt: { file: string; position: number; bytes: number; lines: number } | undefined;

  constructor(options: LogProblemsOptions) {
    this.#options = options;
  }

  /** A line is no record. Neighbours are told as one when {@link flush} is called. @param position in the file, bytes */
  corrupt(file: string, position: number, bytes: number): void {
    const before = this.#corrupt;
    if (before && before.file === file && before.position + before.bytes === position) {
      before.bytes += bytes;
      before.lines++;
      return;
    }
    this.flush();
    this.#corrupt = { file, position, bytes, lines: 1 };
  }

  /** Notices what is missing before a record. */
  checkOffset({ stream, offset, data }: LogRecord): void {
    if (this.#corrupt) this.flush();
    const expected = this.#next[stream];
    const start = Number(offset);
    this.#next[stream] = start + data.length;
    if (expected < 0 || start <= expected) return;
    const lost: LostOutput = { stream, offset: BigInt(expected), bytes: BigInt(start - expected) };
    const { directory, logger, onLost } = this.#options;
    const fields = { directory, stream, offset: String(lost.offset), bytes: String(lost.bytes) };
    logger.warn(fields, 'output is missing from the log');
    onLost?.(lost);
  }

  /** Tells what was held back to be told together. */
  flush(): void {
    if (!this.#corrupt) return;
    const { directory, logger } = this.#options;
    const { file, position, bytes, lines } = this.#corrupt;
    this.#corrupt = undefined;
    const err = new BoxError('INTERNAL', `log ${directory}: ${file} has no record at byte ${position}`, {
      hint: 'the file was damaged or edited; what can be read of it is shown',
      details: { directory, file, position, bytes, lines },
    });
    logger.warn({ err }, 'a damaged part of a log was left out');
  }
}
