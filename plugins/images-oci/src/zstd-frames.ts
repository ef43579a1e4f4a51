import { BoxError } from '@a3s-box/core';

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

type State = 'magic' | 'skippable-size' | 'descriptor' | 'header' | 'block-header' | 'block' | 'checksum' | 'skip';

/**
 * Finds where zstd frames end (RFC 8878, section 3), without decompressing: Node's decompressor takes one frame only,
 * and layers are often made of many (pzstd, zstd:chunked).
 */
export class ZstdFrameSplitter {
  private state: State = 'magic';
  private field = Buffer.alloc(8);
  private filled = 0;
  private need = 4;
  private left = 0;
  private lastBlock = false;
  private hasChecksum = false;

  /** Whether the bytes so far end between two frames. */
  get complete(): boolean {
    return this.state === 'magic' && this.filled === 0;
  }

  /**
   * Takes bytes from `at` on, up to the end of a frame at most.
   * @returns how far it got, and whether a frame ended there
   * @throws IMAGE_CORRUPT when these are no zstd frames
   */
  advance(chunk: Buffer, at: number): { end: number; frameEnded: boolean } {
    let position = at;
    while (position < chunk.length) {
      if (this.state === 'block' || this.state === 'skip' || this.state === 'header' || this.state === 'checksum') {
        const count = Math.min(this.left, chunk.length - position);
        position += count;
        this.left -= count;
        if (this.left === 0 && this.passed()) return { end: position, frameEnded: true };
        continue;
      }
      this.field[this.filled++] = chunk[position++] as number;
      if (this.filled === this.need && this.decode()) return { end: position, frameEnded: true };
    }
    return { end: position, frameEnded: false };
  }

  /** A stretch of known length is over. @returns whether the frame is as well */
  private passed(): boolean {
    if (this.state === 'skip' || this.state === 'checksum') return this.expectFrame();
    if (this.state === 'block' && this.lastBlock) {
      if (!this.hasChecksum) return this.expectFrame();
      this.pass('checksum', 4);
      return false;
    }
    this.expect('block-header', 3);
    return false;
  }

  /** A field is complete. @returns whether the frame is as well */
  private decode(): boolean {
    switch (this.state) {
      case 'magic': {
        const magic = this.field.readUInt32LE(0);
        if (magic === MAGIC) this.expect('descriptor', 1);
        else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) this.expect('skippable-size', 4);
        else throw new BoxError('IMAGE_CORRUPT', 'zstd data has no frame where one must start');
        return false;
      }
      case 'skippable-size': {
        const size = this.field.readUInt32LE(0);
        if (size === 0) return this.expectFrame();
        this.pass('skip', size);
        return false;
      }
      case 'descriptor':
        this.decodeDescriptor(this.field[0] as number);
        return false;
      default:
        return this.decodeBlockHeader();
    }
  }

  private decodeDescriptor(descriptor: number): void {
    const single = (descriptor & 0x20) !== 0;
    this.hasChecksum = (descriptor & 0x04) !== 0;
    const dictionary = [0, 1, 2, 4][descriptor & 0x03] as number;
    const contentSize = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
    const rest = (single ? 0 : 1) + dictionary + contentSize;
    this.pass('header', rest);
  }

  private decodeBlockHeader(): boolean {
    const header = this.field.readUIntLE(0, 3);
    this.lastBlock = (header & 1) === 1;
    const type = (header >> 1) & 3;
    if (type === 3) throw new BoxError('IMAGE_CORRUPT', 'zstd data has a block of a reserved type');
    const size = type === 1 ? 1 : header >> 3;
    this.pass('block', size);
    return size === 0 && this.passed();
  }

  private expect(state: State, bytes: number): void {
    this.state = state;
    this.need = bytes;
    this.filled = 0;
  }

  private pass(state: State, bytes: number): void {
    this.state = state;
    this.left = bytes;
    this.filled = 0;
  }

  private expectFrame(): boolean {
    this.expect('magic', 4);
    return true;
  }
}
