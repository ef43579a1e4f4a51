import { BoxError } from '../errors/box-error.js';
import type { Logger } from '../ports/logger.js';
import { LogCursor } from './log-cursor.js';
import { logFailure } from './log-failure.js';
import type { LogFollow } from './log-follow.js';
import { LogProblems, type LostOutput } from './log-problems.js';
import type { LogRecord } from './log-record.js';

export interface ReadLogOptions {
  /** Told of damaged parts and of missing output, which are left out. */
  readonly logger: Logger;
  /** Start at the last so many lines of both streams together; an unfinished last line counts. All without it. */
  readonly tail?: number | undefined;
  /** Only what is not older, nanoseconds since the Unix epoch. Of the lines that `tail` leaves. */
  readonly sinceNs?: bigint | undefined;
  /** Only what is not younger, as with Docker. A follower ends when the host's clock is beyond it. */
  readonly untilNs?: bigint | undefined;
  /** Read on as more is written, until the log ends; the writer's in this process. */
  readonly follow?: LogFollow | undefined;
  /** Ends the reading, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** Called before the record that follows the missing output. */
  readonly onLost?: ((lost: LostOutput) => void) | undefined;
}

export type { LogRecord };

/** Longest delay of a timer, milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

/**
 * The records of a log in the order in which they were written, each once; none when there is no log. Without `follow`
 * up to what was there at the start. It may be read while it is written, and rotated.
 *
 * @param directory absolute
 * @throws BoxError INVALID_ARGUMENT for a tail that is no number of lines; PERMISSION_DENIED, INTERNAL of the file system
 */
export async function* readLog(directory: string, options: ReadLogOptions): AsyncGenerator<LogRecord, void, void> {
  for await (const records of readLogBlocks(directory, options)) {
    for (const record of records) {
      if (options.signal?.aborted) return;
      yield record;
    }
  }
}

/** As {@link readLog}, some thousands of records at a time, as they were read. */
export async function* readLogBlocks(
  directory: string,
  options: ReadLogOptions,
): AsyncGenerator<readonly LogRecord[], void, void> {
  const { tail, follow, signal, logger, onLost } = options;
  if (tail !== undefined && !(Number.isSafeInteger(tail) && tail >= 0)) {
    throw new BoxError('INVALID_ARGUMENT', `log: the number of lines must be 0 or more, not ${tail}`);
  }
  const problems = new LogProblems({ directory, logger, onLost });
  try {
    // The version before the first look, so that nothing written after it is missed.
    let version = follow?.version ?? 0;
    let ended = follow?.ended ?? true;
    await using cursor = await LogCursor.open(directory, { tail, follow: follow !== undefined, problems });
    while (!signal?.aborted) {
      const records = await cursor.next();
      if (records) {
        const wanted = records.filter((record) => isWanted(record, options));
        if (wanted.length > 0) yield wanted;
        continue;
      }
      problems.flush();
      if (!follow || ended || isOver(options.untilNs)) return;
      await waitForMore(follow, version, options);
      version = follow.version;
      ended = follow.ended;
    }
  } catch (error) {
    throw logFailure(error, directory, 'read');
  } finally {
    problems.flush();
  }
}

function isWanted({ timeNs }: LogRecord, { sinceNs, untilNs }: ReadLogOptions): boolean {
  return (sinceNs === undefined || timeNs >= sinceNs) && (untilNs === undefined || timeNs <= untilNs);
}

function isOver(untilNs: bigint | undefined): boolean {
  return untilNs !== undefined && millisecondsTo(untilNs) <= 0;
}

function millisecondsTo(timeNs: bigint): number {
  return Number(timeNs / 1_000_000n) + 1 - Date.now();
}

async function waitForMore(follow: LogFollow, version: number, options: ReadLogOptions): Promise<void> {
  const { signal, untilNs } = options;
  if (untilNs === undefined) return follow.beyond(version, signal);
  const until = new AbortController();
  const timer = setTimeout(() => until.abort(), Math.min(millisecondsTo(untilNs), MAX_DELAY));
  try {
    await follow.beyond(version, signal ? AbortSignal.any([signal, until.signal]) : until.signal);
  } finally {
    clearTimeout(timer);
  }
}
