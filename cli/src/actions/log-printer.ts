import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { LogRecord } from '@a3s-box/core/client';

const NEWLINE = 0x0a;
/** Written when so many bytes are together, and when no more come at once. */
const BATCH_BYTES = 64 * 1024;
const NS_PER_MS = 1_000_000n;

type Streams = Readonly<Record<LogRecord['stream'], Writable>>;

/**
 * Writes log records to two streams, in their order. Records that come together are written together: a write for each
 * would cost more than all else.
 */
export class LogPrinter {
  readonly #streams: Streams;
  readonly #timestamps: boolean;
  readonly #prefix: string;
  readonly #atLineStart = { stdout: true, stderr: true };
  #pieces: Buffer[] = [];
  #bytes = 0;
  #stream: LogRecord['stream'] = 'stdout';
  #scheduled: NodeJS.Immediate | undefined;

  /** @param options `timestamps`: whether each line starts with its time; `prefix`: what stands after that */
  constructor(
    streams: Streams,
    { timestamps, prefix = '' }: { readonly timestamps: boolean; readonly prefix?: string },
  ) {
    this.#streams = streams;
    this.#prefix = prefix;
    this.#timestamps = timestamps;
  }

  /** Prints all. Resolves when the streams have taken it. */
  async print(records: AsyncIterable<LogRecord>): Promise<void> {
    try {
      for await (const record of records) {
        const room = this.#add(record);
        if (!room) await once(this.#streams[record.stream], 'drain');
      }
    } finally {
      this.#flush();
    }
  }

  /** @returns whether there is room for more */
  #add({ stream, timeNs, data }: LogRecord): boolean {
    let room = true;
    if (stream !== this.#stream) this.#flush();
    this.#stream = stream;
    if (this.#atLineStart[stream] && (this.#timestamps || this.#prefix !== '')) {
      const time = this.#timestamps ? `${timestamp(timeNs)} ` : '';
      this.#pieces.push(Buffer.from(time + this.#prefix));
    }
    this.#pieces.push(data);
    this.#bytes += data.length;
    if (data.length > 0) this.#atLineStart[stream] = data.at(-1) === NEWLINE;
    if (this.#bytes >= BATCH_BYTES) room = this.#flush();
    else this.#scheduled ??= setImmediate(() => this.#flush());
    return room;
  }

  #flush(): boolean {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    if (this.#pieces.length === 0) return true;
    const room = this.#streams[this.#stream].write(Buffer.concat(this.#pieces));
    this.#pieces = [];
    this.#bytes = 0;
    return room;
  }
}

/** RFC 3339 in UTC, always with nine digits of a second, as Docker prints it. */
export function timestamp(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / NS_PER_MS)).toISOString().slice(0, 19);
  return `${seconds}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}Z`;
}
