import type { FileHandle } from 'node:fs/promises';
import { READ_BLOCK } from './log-record.js';
import type { LineSource } from './record-parser.js';

/** Whole lines of a file. A line ends with its newline; what stands before the first or after the last is left out. */
export class LineBlock implements LineSource {
  readonly text: string;
  /** Index of the newline of each line. */
  readonly #newlines: number[] = [];

  private constructor(
    readonly bytes: Buffer,
    /** Where `bytes` stand in the file. */
    readonly position: number,
    /** Index of the first line. */
    readonly first: number,
  ) {
    this.text = bytes.toString('latin1');
    for (let at = this.text.indexOf('\n', first); at >= 0; at = this.text.indexOf('\n', at + 1))
      this.#newlines.push(at);
  }

  /**
   * The lines from a position on, as many as fit into a block.
   *
   * @param limit position in the file that is not read beyond
   * @returns undefined when there is nothing; a block without lines holds a part of one
   */
  static async after(file: FileHandle, position: number, limit = Infinity): Promise<LineBlock | undefined> {
    const bytes = await readBytes(file, position, Math.min(READ_BLOCK, limit - position));
    return bytes.length === 0 ? undefined : new LineBlock(bytes, position, 0);
  }

  /** The lines that end at or before a position, as many as fit into a block. @returns undefined at the file's start */
  static async before(file: FileHandle, end: number): Promise<LineBlock | undefined> {
    if (end <= 0) return undefined;
    const position = Math.max(0, end - READ_BLOCK);
    const bytes = await readBytes(file, position, end - position);
    // At the start of the file a line starts; elsewhere the first byte may be anywhere in one.
    return new LineBlock(bytes, position, position === 0 ? 0 : bytes.indexOf('\n') + 1);
  }

  /** Number of lines. */
  get count(): number {
    return this.#newlines.length;
  }

  /** Index of a line's first byte in `bytes`. */
  start(line: number): number {
    return line === 0 ? this.first : this.end(line - 1) + 1;
  }

  /** Index of a line's newline in `bytes`. */
  end(line: number): number {
    return this.#newlines[line] ?? this.bytes.length;
  }

  /** Position in the file after the last line. */
  get linesEnd(): number {
    return this.position + this.start(this.count);
  }

  /** Whether no record can be in here: a whole block without the end of a line. */
  get hopeless(): boolean {
    return this.count === 0 && this.bytes.length === READ_BLOCK;
  }
}

/** Position after the last newline of a file. */
export async function wholeLinesEnd(file: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0;) {
    const position = Math.max(0, end - READ_BLOCK);
    const bytes = await readBytes(file, position, end - position);
    const newline = bytes.lastIndexOf('\n');
    if (newline >= 0) return position + newline + 1;
    end = position;
  }
  return 0;
}

async function readBytes(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (length <= 0) return Buffer.alloc(0);
  const buffer = Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
