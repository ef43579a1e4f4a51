import { isUtf8 } from 'node:buffer';
import { BoxError } from '../errors/box-error.js';
import { MAX_RECORD_DATA, type LogChunk, type LogStream } from './log-record.js';
import { RecordTimeFormat } from './record-time.js';

/** How the bytes of a window are written: as they are, as JSON strings, or by a look at each line. */
type Kind = 'plain' | 'text' | 'bytes';

/** A chunk is looked at in windows of this many bytes, so that a large one is encoded in several turns. */
const WINDOW = 64 * 1024;
// oxlint-disable-next-line no-control-regex
const NEEDS_ESCAPE = /[\0-\t\v-\x1f"\\]/;
const NEWLINE = 0x0a;
/** Offsets stand in the file as JSON numbers. */
const MAX_OFFSET = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Collects records for one write. A record is a JSON line in the form of Docker's json-file driver, with the offset
 * beside it; what is not UTF-8 stands as `base64` in place of `log`.
 */
export class RecordEncoder {
  readonly #limit: number;
  readonly #maxData: number;
  readonly #time: RecordTimeFormat;
  #text = '';
  #bytes = 0;

  /** @param limit bytes that the records may take together @param maxData bytes of output in one record at most */
  constructor({ limit, maxData = MAX_RECORD_DATA, time }: { limit: number; maxData?: number; time: RecordTimeFormat }) {
    this.#limit = limit;
    this.#maxData = maxData;
    this.#time = time;
  }

  /** Bytes that the records take so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds the bytes of a chunk from an index on, as long as there is room.
   *
   * @returns index after the last byte that was added
   * @throws BoxError LIMIT_EXCEEDED when the stream is beyond 2^53 bytes
   */
  add(chunk: LogChunk, from: number): number {
    const { data, offset } = chunk;
    if (offset + BigInt(data.length) > MAX_OFFSET) {
      throw new BoxError('LIMIT_EXCEEDED', `log: ${chunk.stream} is longer than 2^53 bytes`);
    }
    const suffix = this.#suffix(chunk.stream, chunk.timeNs);
    let start = from;
    while (start < data.length) {
      const window = windowOf(data, start);
      const taken = this.#addWindow(window, suffix, Number(offset) + start);
      start += taken;
      if (taken < window.length) break;
    }
    return start;
  }

  /** Adds a record without data, which says how far a stream is. @returns whether there was room */
  addCheckpoint({ stream, offset, timeNs }: Pick<LogChunk, 'stream' | 'offset' | 'timeNs'>): boolean {
    return this.#push(`{"log":""${this.#suffix(stream, timeNs)}${offset}}\n`);
  }

  /** The records, as they are written to the file. */
  finish(): Buffer {
    return Buffer.from(this.#text, 'latin1');
  }

  #addWindow(window: Buffer, suffix: string, offset: number): number {
    // One character a byte, here and in all that is made of it: what JSON escapes is ASCII, so that the bytes of UTF-8
    // sequences go through as they are.
    const text = window.toString('latin1');
    const kind = kindOf(window, text);
    let start = 0;
    while (start < text.length) {
      const newline = text.indexOf('\n', start);
      let end = newline < 0 ? text.length : newline + 1;
      if (end - start > this.#maxData) end = cutBefore(window, start + this.#maxData, start);
      const value = kind === 'plain' ? plainValue(text, start, end) : escapedValue(kind, text.slice(start, end));
      if (!this.#push(`{${value}${suffix}${offset + start}}\n`)) break;
      start = end;
    }
    return start;
  }

  #push(record: string): boolean {
    if (this.#bytes + record.length > this.#limit) return false;
    this.#text += record;
    this.#bytes += record.length;
    return true;
  }

  #suffix(stream: LogStream, timeNs: bigint): string {
    return `,"stream":"${stream}","time":"${this.#time.format(timeNs)}","offset":`;
  }
}

/** The next part of a chunk; it ends after a line where it can. */
function windowOf(data: Buffer, start: number): Buffer {
  if (data.length - start <= WINDOW) return start === 0 ? data : data.subarray(start);
  const lines = data.subarray(start, start + WINDOW).lastIndexOf(NEWLINE) + 1;
  return data.subarray(start, lines > 0 ? start + lines : cutBefore(data, start + WINDOW, start));
}

function kindOf(window: Buffer, text: string): Kind {
  if (!isUtf8(window)) return 'bytes';
  return NEEDS_ESCAPE.test(text) ? 'text' : 'plain';
}

function plainValue(text: string, start: number, end: number): string {
  return text.charCodeAt(end - 1) === NEWLINE
    ? `"log":"${text.slice(start, end - 1)}\\n"`
    : `"log":"${text.slice(start, end)}"`;
}

/** @param line one character a byte */
function escapedValue(kind: Kind, line: string): string {
  if (kind === 'bytes') {
    const bytes = Buffer.from(line, 'latin1');
    if (!isUtf8(bytes)) return `"base64":"${bytes.toString('base64')}"`;
  }
  return `"log":${JSON.stringify(line)}`;
}

/** Where to cut at the latest without parting a UTF-8 sequence, of which at most three bytes follow the first. */
function cutBefore(data: Buffer, latest: number, start: number): number {
  for (let cut = latest; cut > latest - 4 && cut > start; cut--) {
    if (((data[cut] ?? 0) & 0xc0) !== 0x80) return cut;
  }
  return latest;
}
