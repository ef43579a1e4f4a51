/** What the tests of logs share: chunks of output, and logs read back. */
import type { Logger, LogFields } from '../../dist/ports/logger.js';
import type { LogChunk, LogRecord, LogStream } from '../../dist/logs/log-record.js';
import { readLog, type ReadLogOptions } from '../../dist/logs/log-reader.js';

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

/** A logger that keeps its warnings. */
export function warningsOf(): { logger: Logger; warnings: { fields: LogFields; message: string }[] } {
  const warnings: { fields: LogFields; message: string }[] = [];
  return { warnings, logger: { ...silentLogger, warn: (fields, message) => warnings.push({ fields, message }) } };
}

export const NOON_NS = 1_732_233_600_000_000_000n;

/** A chunk of text or bytes. @param offset in its stream */
export function chunk(
  stream: LogStream,
  offset: number | bigint,
  data: string | Uint8Array,
  timeNs = NOON_NS,
): LogChunk {
  return { stream, offset: BigInt(offset), timeNs, data: Buffer.from(data) };
}

/** All records of a log; a warning is a failure, unless a logger is given. */
export async function recordsOf(directory: string, options: Partial<ReadLogOptions> = {}): Promise<LogRecord[]> {
  const { logger, warnings } = warningsOf();
  const records: LogRecord[] = [];
  for await (const record of readLog(directory, { logger, ...options })) records.push(record);
  if (warnings.length > 0) throw new Error(`the reader warned: ${JSON.stringify(warnings)}`);
  return records;
}

/** The text of the records, each with its stream's initial: `o:line\n`. */
export async function linesOf(directory: string, options: Partial<ReadLogOptions> = {}): Promise<string[]> {
  const records = await recordsOf(directory, options);
  return records.map(({ stream, data }) => `${stream === 'stdout' ? 'o' : 'e'}:${data.toString()}`);
}

/** The bytes of one stream. */
export function bytesOf(records: readonly LogRecord[], stream: LogStream): Buffer {
  return Buffer.concat(records.filter((record) => record.stream === stream).map(({ data }) => data));
}
