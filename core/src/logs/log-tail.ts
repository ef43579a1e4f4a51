import { listLogFiles, openLogFile, type LogFileEntry, type OpenLogFile } from './log-files.js';
import { LineBlock, wholeLinesEnd } from './line-block.js';
import { RecordParser } from './record-parser.js';

const NEWLINE = 0x0a;

/** A place in a log; whoever has it closes the file. */
export interface TailStart {
  readonly file: OpenLogFile;
  /** Bytes. */
  readonly position: number;
}

/**
 * Where the last lines of a log begin, looked for from its end.
 *
 * @param newest where to begin @param lines 0 for its end @returns undefined when there is nothing to read
 */
export async function findTail(directory: string, newest: LogFileEntry, lines: number): Promise<TailStart | undefined> {
  const counter = new LineCounter(lines);
  let file = await openLogFile(directory, newest.ino);
  let size = newest.size;
  try {
    while (file) {
      const position = await counter.search(file, await wholeLinesEnd(file.handle, size));
      if (position !== undefined) return { file, position };
      const older = await openOlder(directory, file.ino);
      if (!older) return { file, position: 0 };
      await file.handle.close();
      file = older;
      size = older.size;
    }
    return undefined;
  } catch (error) {
    await file?.handle.close();
    throw error;
  }
}

async function openOlder(directory: string, ino: bigint): Promise<OpenLogFile | undefined> {
  const files = listLogFiles(directory);
  const older = files[files.findIndex((file) => file.ino === ino) - 1];
  return older && openLogFile(directory, older.ino);
}

/**
 * Counts lines from the end of a log on: records that end with a newline, of both streams, and a last one that does
 * not.
 */
class LineCounter {
  readonly #parser = new RecordParser();
  #left: number;
  #isLast = true;

  constructor(lines: number) {
    this.#left = lines;
  }

  /** @returns position after the last line that is not wanted; undefined when more are wanted than the file has */
  async search({ handle }: OpenLogFile, from: number): Promise<number | undefined> {
    if (this.#left === 0 && this.#isLast) return from;
    let end = from;
    for (let block = await LineBlock.before(handle, end); block; block = await LineBlock.before(handle, end)) {
      const line = this.#searchBlock(block);
      if (line !== undefined) return block.position + block.end(line) + 1;
      end = block.count > 0 ? block.position + block.first : block.position;
    }
    return undefined;
  }

  #searchBlock(block: LineBlock): number | undefined {
    for (let line = block.count - 1; line >= 0; line--) {
      const data = this.#parser.parse(block, block.start(line), block.end(line))?.data;
      if (!data || data.length === 0) continue;
      const endsLine = this.#isLast || data[data.length - 1] === NEWLINE;
      this.#isLast = false;
      if (!endsLine) continue;
      if (this.#left === 0) return line;
      this.#left--;
    }
    return undefined;
  }
}
