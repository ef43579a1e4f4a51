import type { BlockOutput } from './block-output.js';
import { BLOCK, BLOCK_BITS } from './disk-format.js';
import { HOLE, type FileData, type Inode } from './inode.js';
import type { SparseRun, TarEntry } from '@a3s-box/core';

/** A sparse file's address list has at most so many entries; larger files get larger chunks. */
const MAX_CHUNKS = 8192;

/** Tells where stored bytes of the archive went: `length` bytes from file offset `position`. */
export type StoredAt = (position: number, length: number) => void;

/** Writes one file's bytes to the output as they come. */
export interface DataWriter {
  write(bytes: Buffer): void;
  /** Completes the file and tells the inode where its data lies. */
  end(): void;
}

/** Where a file's data goes, and who is told. */
export interface DataTarget {
  readonly inode: Inode;
  readonly output: BlockOutput;
  readonly storedAt: StoredAt;
}

/** Starts a file's data at the next block. */
export function dataWriter(entry: TarEntry, target: DataTarget): DataWriter {
  if (entry.size === 0) return { write: () => undefined, end: () => undefined };
  return entry.runs === undefined ? new PlainWriter(target) : new SparseWriter(entry.runs, entry.size, target);
}

class PlainWriter implements DataWriter {
  private readonly block: number;

  constructor(private readonly target: DataTarget) {
    this.block = target.output.align();
  }

  write(bytes: Buffer): void {
    const { output, storedAt } = this.target;
    storedAt(output.position, bytes.length);
    output.append(bytes);
  }

  end(): void {
    this.target.output.align();
    this.target.inode.data = { kind: 'run', device: 0, block: this.block };
  }
}

/** Keeps the chunks that hold data, one behind the other; the rest are holes. */
class SparseWriter implements DataWriter {
  private readonly base: number;
  private readonly chunkBytes: number;
  private readonly bits: number;
  private readonly blocks: Uint32Array;
  private run = 0;
  private inRun = 0;

  constructor(
    private readonly runs: readonly SparseRun[],
    size: number,
    private readonly target: DataTarget,
  ) {
    this.base = target.output.align();
    let bits = 0;
    while (Math.ceil(size / 2 ** (BLOCK_BITS + bits)) > MAX_CHUNKS) bits++;
    this.bits = bits;
    this.chunkBytes = 2 ** (BLOCK_BITS + bits);
    this.blocks = this.allocate(Math.ceil(size / this.chunkBytes));
  }

  write(bytes: Buffer): void {
    const { output, storedAt } = this.target;
    let at = 0;
    while (at < bytes.length) {
      const run = this.runs[this.run] as SparseRun;
      const offset = run.offset + this.inRun;
      const inChunk = offset % this.chunkBytes;
      const count = Math.min(bytes.length - at, run.length - this.inRun, this.chunkBytes - inChunk);
      const position = (this.blocks[Math.floor(offset / this.chunkBytes)] as number) * BLOCK + inChunk;
      output.zeroTo(position);
      storedAt(position, count);
      output.append(bytes.subarray(at, at + count));
      at += count;
      this.inRun += count;
      if (this.inRun === run.length) {
        this.run++;
        this.inRun = 0;
      }
    }
  }

  end(): void {
    const used = this.blocks.reduce((count, block) => (block === HOLE ? count : count + 1), 0);
    this.target.output.zeroTo(this.base * BLOCK + used * this.chunkBytes);
    const whole = used === this.blocks.length;
    const data: FileData = whole
      ? { kind: 'run', device: 0, block: this.base }
      : { kind: 'chunks', device: 0, bits: this.bits, blocks: this.blocks };
    this.target.inode.data = data;
  }

  private allocate(chunks: number): Uint32Array {
    const blocks = new Uint32Array(chunks).fill(HOLE);
    let next = this.base;
    for (const run of this.runs) {
      const last = Math.floor((run.offset + run.length - 1) / this.chunkBytes);
      for (let chunk = Math.floor(run.offset / this.chunkBytes); chunk <= last; chunk++) {
        if (blocks[chunk] !== HOLE) continue;
        blocks[chunk] = next;
        next += this.chunkBytes / BLOCK;
      }
    }
    return blocks;
  }
}
