import { listLogFiles, openLogFile, type LogFileEntry, type OpenLogFile } from './log-files.js';
import { LineBlock } from './line-block.js';
import type { LogRecord } from './log-record.js';
import type { LogProblems } from './log-problems.js';
import { RecordParser } from './record-parser.js';
import { findTail } from './log-tail.js';

export interface LogCursorOptions {
  /** Lines from the end to start at; all without it. */
  readonly tail: number | undefined;
  /** Whether to read on beyond what is there now. */
  readonly follow: boolean;
  readonly problems: LogProblems;
}

/** Where a reader is: in one file, which it holds open, so that rotation does not take it away. */
export class LogCursor implements AsyncDisposable {
  readonly #directory: string;
  readonly #problems: LogProblems;
  readonly #parser = new RecordParser();
  /** Where to stop: the end of the newest file when the reader started. */
  readonly #limit: LogFileEntry | undefined;
  #file: OpenLogFile | undefined;
  #position: number;
  /** Whether the file was rotated before it was read last: then nothing comes after its end. */
  #final = false;

  private constructor(directory: string, options: LogCursorOptions, start: LogStart) {
    this.#directory = directory;
    this.#problems = options.problems;
    this.#limit = options.follow ? undefined : start.newest;
    this.#file = start.file;
    this.#position = start.position;
  }

  static async open(directory: string, options: LogCursorOptions): Promise<LogCursor> {
    const newest = listLogFiles(directory).at(-1) ?? { name: '', ino: -1n, size: 0 };
    const start = options.tail === undefined ? undefined : await findTail(directory, newest, options.tail);
    return new LogCursor(directory, options, { newest, file: start?.file, position: start?.position ?? 0 });
  }

  /** The next records, some thousands at most, maybe none. @returns undefined when there are no more for now */
  async next(): Promise<LogRecord[] | undefined> {
    for (;;) {
      if (!this.#file) {
        if (!(await this.#openNewer())) return undefined;
        continue;
      }
      const block = await this.#readBlock(this.#file);
      if (block) return this.#parse(this.#file, block);
      if (this.#file.ino === this.#limit?.ino) return undefined;
      if (!(await this.#advance(this.#file))) return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  /** The next whole lines. What is no whole line yet is read again, for a writer that failed may replace it. */
  async #readBlock({ handle, ino }: OpenLogFile): Promise<LineBlock | undefined> {
    const limit = this.#limit?.ino === ino ? this.#limit.size : Infinity;
    const block = await LineBlock.after(handle, this.#position, limit);
    if (block && (block.count > 0 || block.hopeless)) return block;
    if (block === undefined && (await handle.stat()).size < this.#position) this.#position = 0;
    return undefined;
  }

  #parse(file: OpenLogFile, block: LineBlock): LogRecord[] {
    const records: LogRecord[] = [];
    if (block.hopeless) {
      this.#problems.corrupt(file.name, block.position, block.bytes.length);
      this.#position = block.position + block.bytes.length;
      return records;
    }
    this.#position = block.linesEnd;
    for (let line = 0; line < block.count; line++) {
      const start = block.start(line);
      const end = block.end(line);
      const record = this.#parser.parse(block, start, end);
      if (!record) {
        this.#problems.corrupt(file.name, block.position + start, end + 1 - start);
        continue;
      }
      this.#problems.checkOffset(record);
      if (record.data.length > 0) records.push(record);
    }
    return records;
  }

  /** At the end of a file: on to the next one, if there is one. @returns whether there may be more to read */
  async #advance(file: OpenLogFile): Promise<boolean> {
    const hasNewer = this.#newer() !== undefined;
    if (!hasNewer) return false;
    if (!this.#final) {
      // It may have been written between the last read and the rotation.
      this.#final = true;
      return true;
    }
    const { size } = await file.handle.stat();
    if (size > this.#position) this.#problems.corrupt(file.name, this.#position, size - this.#position);
    return this.#openNewer();
  }

  /** @returns whether there is a newer file that may be read */
  async #openNewer(): Promise<boolean> {
    for (let newer = this.#newer(); newer; newer = this.#newer()) {
      const file = await openLogFile(this.#directory, newer.ino);
      if (!file) continue;
      const old = this.#file;
      this.#file = file;
      this.#position = 0;
      this.#final = false;
      await old?.handle.close();
      return true;
    }
    return false;
  }

  /** The file after the one that is read; the oldest when there is none or it is gone. */
  #newer(): LogFileEntry | undefined {
    const files = listLogFiles(this.#directory);
    // Where the file to stop at is gone, all that is left is newer.
    if (this.#limit && !files.some(({ ino }) => ino === this.#limit?.ino)) return undefined;
    return files[files.findIndex(({ ino }) => ino === this.#file?.ino) + 1];
  }
}

interface LogStart {
  readonly newest: LogFileEntry;
  readonly file: OpenLogFile | undefined;
  readonly position: number;
}
