import type { LogRecord, LogStream } from './log-record.js';
import { RecordTimeParser, TIME_LENGTH } from './record-time.js';

const TEXT_HEAD = '{"log":"';
/** What stands between data and offset. */
const SUFFIX = /^","stream":"(stdout|stderr)","time":"([^"]+)","offset":$/;
const SUFFIX_LENGTH = `","stream":"stdout","time":"","offset":`.length + TIME_LENGTH;
const NEWLINE = 0x0a;
const DIGIT_0 = 0x30;
const LETTER_N = 0x6e;
const CLOSING_BRACE = 0x7d;
/** Escapes that are never written, of characters that are no ASCII. */
const FOREIGN_ESCAPE = /\\u(?!00[0-7])/;
/** Of the largest offset. */
const MAX_DIGITS = 16;

/** Bytes of a file with the same bytes as text, one character each. */
export interface LineSource {
  readonly bytes: Buffer;
  readonly text: string;
}

/** Reads records. One parser serves one reader. */
export class RecordParser {
  readonly #time = new RecordTimeParser();
  /** Of the last record, with what it says. No line has the first one. */
  #suffix = '\n';
  #stream: LogStream = 'stdout';
  #timeNs = 0n;

  /**
   * The record in a line. Its data is a view of the source where nothing had to be decoded; a newline at its end is put
   * into the source for that.
   *
   * @param end index of the newline
   * @returns undefined for what is no record
   */
  parse(source: LineSource, start: number, end: number): LogRecord | undefined {
    return this.#parseWritten(source, start, end) ?? this.#parseJson(source.bytes.toString('utf8', start, end));
  }

  /** The common case: text, with the keys in the order in which they are written. */
  #parseWritten(source: LineSource, start: number, end: number): LogRecord | undefined {
    const { text } = source;
    // Slices are compared several times faster than `startsWith` does it.
    if (text.slice(start, start + TEXT_HEAD.length) !== TEXT_HEAD) return undefined;
    if (text.charCodeAt(end - 1) !== CLOSING_BRACE) return undefined;
    const digits = digitsBefore(text, end - 1);
    const offset = offsetIn(text, digits, end - 1);
    const dataStart = start + TEXT_HEAD.length;
    const dataEnd = digits - SUFFIX_LENGTH;
    if (offset === undefined || dataEnd < dataStart || !this.#readSuffix(text, dataEnd)) return undefined;
    const data = dataIn(source, dataStart, dataEnd);
    return data && { stream: this.#stream, offset, timeNs: this.#timeNs, data };
  }

  /** Reads stream and time, which are mostly those of the line before. */
  #readSuffix(text: string, start: number): boolean {
    const suffix = text.slice(start, start + SUFFIX_LENGTH);
    if (suffix === this.#suffix) return true;
    const match = SUFFIX.exec(suffix);
    const stream = streamOf(match?.[1]);
    const timeNs = this.#time.parse(match?.[2] ?? '');
    if (stream === undefined || timeNs === undefined) return false;
    this.#suffix = suffix;
    this.#stream = stream;
    this.#timeNs = timeNs;
    return true;
  }

  /** Other orders of keys, other spaces, base64. */
  #parseJson(line: string): LogRecord | undefined {
    const value = parseOrUndefined(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const fields: Readonly<Record<string, unknown>> = { ...value };
    const stream = streamOf(fields['stream']);
    const timeNs = typeof fields['time'] === 'string' ? this.#time.parse(fields['time']) : undefined;
    const offset = offsetOf(fields['offset']);
    const data = 'log' in fields ? bytesOf(fields['log'], 'utf8') : bytesOf(fields['base64'], 'base64');
    if (stream === undefined || timeNs === undefined || offset === undefined || data === undefined) return undefined;
    return { stream, offset, timeNs, data };
  }
}

/** The bytes of a JSON string, between the indexes of its quotes. */
function dataIn({ bytes, text }: LineSource, start: number, end: number): Buffer | undefined {
  const content = text.slice(start, end);
  const escape = content.indexOf('\\');
  const last = content.length - 1;
  if (escape >= 0 && !(escape === last - 1 && content.charCodeAt(last) === LETTER_N)) {
    if (content.includes('\\u') && FOREIGN_ESCAPE.test(content)) return undefined;
    const value = parseOrUndefined(text.slice(start - 1, end + 1));
    return typeof value === 'string' ? Buffer.from(value, 'latin1') : undefined;
  }
  if (content.includes('"')) return undefined;
  if (escape < 0) return bytes.subarray(start, end);
  bytes[start + escape] = NEWLINE;
  return bytes.subarray(start, end - 1);
}

function streamOf(value: unknown): LogStream | undefined {
  return value === 'stdout' || value === 'stderr' ? value : undefined;
}

/** Index of the first of the digits that end before an index. */
function digitsBefore(text: string, end: number): number {
  let start = end;
  for (; end - start < MAX_DIGITS; start--) {
    const code = text.charCodeAt(start - 1);
    if (!(code >= DIGIT_0 && code <= DIGIT_0 + 9)) break;
  }
  return start;
}

function offsetIn(text: string, start: number, end: number): bigint | undefined {
  let value = 0;
  for (let index = start; index < end; index++) value = value * 10 + text.charCodeAt(index) - DIGIT_0;
  return start < end ? offsetOf(value) : undefined;
}

function offsetOf(value: unknown): bigint | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

function bytesOf(value: unknown, encoding: 'utf8' | 'base64'): Buffer | undefined {
  if (typeof value !== 'string') return undefined;
  const data = Buffer.from(value, encoding);
  return encoding === 'utf8' || data.toString('base64') === value ? data : undefined;
}

function parseOrUndefined(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
