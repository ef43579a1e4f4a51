import { closeSync, createReadStream, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { injectable, inject } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';

/** Of one file, bytes. */
const FILE_BYTES = 4 * 1024 * 1024;
/** So many files are kept. */
const FILES = 4;
/** What is longer is written without its details. */
const LINE_BYTES = 8 * 1024;
const NEWLINE = 0x0a;

/** Who asked for what, and what came of it. One line of JSON in the file, with these names. */
export interface AuditEntry {
  /** RFC 3339, UTC. */
  readonly time: string;
  /** Names the call, which has one entry when it begins and one when it ends. */
  readonly call: string;
  /** Of the client; absent where its socket does not tell. */
  readonly uid?: number;
  readonly pid?: number;
  /** `Service.Method` of the supervisor protocol. */
  readonly operation: string;
  /** As the client named it. */
  readonly subject: string;
  /** Full id of the box, where there is one. */
  readonly box?: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** `begun`, `ok` or the code of the error. */
  readonly outcome: string;
}

export interface AuditBounds {
  /** Nanoseconds since the Unix epoch; 0n: no bound. */
  readonly sinceNs: bigint;
  readonly untilNs: bigint;
}

/** The audit record: files that are only appended to, of a bounded size in all. */
@injectable()
export class AuditLog implements Disposable {
  #file: { readonly descriptor: number; bytes: number } | undefined;

  constructor(
    private readonly home: HomeLayout,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** Writes an entry. Never throws: a full disk keeps nobody from freeing some. */
  write(entry: AuditEntry): void {
    try {
      const line = lineOf(entry);
      const bytes = Buffer.byteLength(line);
      if (this.#file && this.#file.bytes + bytes > FILE_BYTES) this.#rotate();
      const file = (this.#file ??= open(this.home.auditLog));
      const written = writeSync(file.descriptor, line);
      file.bytes += written;
      // The rest of a line that did not fit is not what the next one goes on with.
      if (written < bytes) this[Symbol.dispose]();
    } catch (error) {
      this.logger.error({ entry, error }, 'an entry of the audit record could not be written');
    }
  }

  /** Entries in their order. What cannot be read as one is logged and left out. */
  async *read({ sinceNs, untilNs }: AuditBounds, signal: AbortSignal): AsyncGenerator<AuditEntry[], void, void> {
    for (let age = FILES - 1; age >= 0; age--) {
      let page: AuditEntry[] = [];
      for await (const line of linesOf(this.#pathOf(age), signal)) {
        const entry = this.#parse(line);
        if (!entry) continue;
        const timeNs = timeOf(entry);
        if (timeNs < sinceNs || (untilNs > 0n && timeNs > untilNs)) continue;
        page.push(entry);
        if (page.length === 256) {
          yield page;
          page = [];
        }
      }
      if (page.length > 0) yield page;
    }
  }

  [Symbol.dispose](): void {
    if (this.#file) closeSync(this.#file.descriptor);
    this.#file = undefined;
  }

  #pathOf(age: number): string {
    return age === 0 ? this.home.auditLog : `${this.home.auditLog}.${age}`;
  }

  #rotate(): void {
    this[Symbol.dispose]();
    for (let age = FILES - 2; age >= 0; age--) {
      try {
        renameSync(this.#pathOf(age), this.#pathOf(age + 1));
      } catch (error) {
        // There are not as many yet.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  #parse(line: string): AuditEntry | undefined {
    if (line === '') return undefined;
    try {
      return JSON.parse(line) as AuditEntry;
    } catch (error) {
      this.logger.warn({ error }, 'a line of the audit record is damaged');
      return undefined;
    }
  }
}

/** Nanoseconds since the Unix epoch. */
export function timeOf({ time }: AuditEntry): bigint {
  return BigInt(Date.parse(time)) * 1_000_000n;
}

function lineOf(entry: AuditEntry): string {
  const line = `${JSON.stringify(entry)}\n`;
  if (Buffer.byteLength(line) <= LINE_BYTES) return line;
  return `${JSON.stringify({ ...entry, subject: entry.subject.slice(0, 256), details: { leftOut: 'too long' } })}\n`;
}

/** Opens a file to append to; a line that a process did not finish gets its end. */
function open(path: string): { descriptor: number; bytes: number } {
  const descriptor = openSync(path, 'a+', 0o600);
  const { size } = fstatSync(descriptor);
  const last = Buffer.alloc(1);
  const whole = size === 0 || (readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] === NEWLINE);
  return { descriptor, bytes: whole ? size : size + writeSync(descriptor, '\n') };
}

async function* linesOf(path: string, signal: AbortSignal): AsyncGenerator<string, void, void> {
  const stream = createReadStream(path, { encoding: 'utf8', signal });
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  } finally {
    stream.destroy();
  }
}
