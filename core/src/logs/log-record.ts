export type LogStream = 'stdout' | 'stderr';

export const LOG_STREAMS: readonly LogStream[] = ['stdout', 'stderr'];

/** Absolute offsets in the guest's streams, bytes. */
export type StreamOffsets = Readonly<Record<LogStream, bigint>>;

/** Output of a box as it is appended; any cut of the stream will do. */
export interface LogChunk {
  readonly stream: LogStream;
  /** Absolute offset of the first byte in its stream. */
  readonly offset: bigint;
  /** Nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
  readonly data: Buffer;
}

/** One line of output, or a part of one. `data` may be a view of a larger block: copy it to keep it for long. */
export type LogRecord = LogChunk;

export interface LogLimits {
  /** A file is rotated before it would grow beyond this, bytes; at least {@link MIN_FILE_BYTES}. */
  readonly maxFileBytes: number;
  /** Files kept, the one that is written included; at least 1. */
  readonly maxFiles: number;
}

export const DEFAULT_LOG_LIMITS: LogLimits = { maxFileBytes: 64 * 1024 * 1024, maxFiles: 8 };

/** Holds the two checkpoints at the start of a file and a record of an eighth of this, each byte escaped. */
export const MIN_FILE_BYTES = 4096;

/** Bytes of output in one record at most, as in Docker. */
export const MAX_RECORD_DATA = 16 * 1024;

/**
 * Files are read in blocks of this many bytes. A record of {@link MAX_RECORD_DATA} bytes takes at most six times as
 * many in its file, so every record fits.
 */
export const READ_BLOCK = 256 * 1024;
