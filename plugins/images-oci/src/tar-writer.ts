import { BoxError } from '@a3s-box/core';

/** A member of an archive that is written here. Names are UTF-8 of at most 100 bytes. */
export interface TarMember {
  readonly type: 'file' | 'directory' | 'symlink';
  readonly name: string;
  readonly mode: number;
  readonly size?: number;
  readonly target?: string;
  /** Seconds since the epoch. */
  readonly mtime?: number;
}

const FLAGS = { file: '0', directory: '5', symlink: '2' } as const;

/** Writes ustar archives owned by root, for images and archives that the store makes itself. */
export class TarWriter {
  /** @throws INTERNAL when a field does not fit: names here are the caller's constants and digests */
  header(member: TarMember): Buffer {
    const block = Buffer.alloc(512);
    text(block, member.name, 0);
    octal(block, member.mode, { offset: 100, length: 8 });
    octal(block, 0, { offset: 108, length: 8 });
    octal(block, 0, { offset: 116, length: 8 });
    octal(block, member.size ?? 0, { offset: 124, length: 12 });
    octal(block, member.mtime ?? 0, { offset: 136, length: 12 });
    block.fill(' ', 148, 156);
    block.write(FLAGS[member.type], 156);
    text(block, member.target ?? '', 157);
    block.write('ustar\u000000', 257, 'latin1');
    octal(block, 0, { offset: 329, length: 8 });
    octal(block, 0, { offset: 337, length: 8 });
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return block;
  }

  *file(member: Omit<TarMember, 'type' | 'size'>, content: Buffer): Generator<Buffer> {
    yield this.header({ ...member, type: 'file', size: content.length });
    yield content;
    yield this.padding(content.length);
  }

  /** What follows a file's content. */
  padding(size: number): Buffer {
    return Buffer.alloc((512 - (size % 512)) % 512);
  }

  /** The end mark. */
  end(): Buffer {
    return Buffer.alloc(1024);
  }
}

/** Names and targets have fields of 100 bytes. */
function text(block: Buffer, value: string, offset: number): void {
  if (Buffer.byteLength(value) > 100) {
    throw new BoxError('INTERNAL', `"${value}" does not fit a tar header`);
  }
  block.write(value, offset, 100, 'utf8');
}

function octal(block: Buffer, value: number, { offset, length }: { offset: number; length: number }): void {
  const digits = value.toString(8);
  if (digits.length < length) {
    block.write(digits.padStart(length - 1, '0'), offset, 'latin1');
    return;
  }
  // Base 256, as GNU tar does for what octal digits cannot hold.
  block.writeBigUInt64BE(BigInt(value), offset + length - 8);
  block[offset] = 0x80;
}
