import { corrupt } from './fault.js';

/** Bytes of a tar block. */
export const TAR_BLOCK = 512;

/** One header block, decoded. Strings hold one byte per character (latin1), since tar names have no encoding. */
export interface TarHeader {
  readonly type: string;
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow the header, before padding. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  readonly linkName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

const USTAR = 'ustar\0';
const GNU = 'ustar  \0';

/**
 * Decodes one header block (POSIX.1-1988 ustar, GNU, star or v7).
 * @returns undefined for a block of zeros
 * @throws IMAGE_CORRUPT when the checksum or a number is wrong
 */
export function decodeTarHeader(block: Buffer): TarHeader | undefined {
  if (!checksumHolds(block)) {
    if (isZeroBlock(block)) return undefined;
    throw corrupt('tar header has a wrong checksum: the stream is no tar archive, or it is damaged');
  }
  const magic = block.toString('latin1', 257, 263);
  let name = text(block, 0, 100);
  if (magic === USTAR) {
    const star = block.toString('latin1', 508, 512) === 'tar\0';
    const prefix = text(block, 345, star ? 131 : 155);
    if (prefix !== '') name = `${prefix}/${name}`;
  }
  const posix = magic === USTAR || block.toString('latin1', 257, 265) === GNU;
  let type = String.fromCharCode(block[156] as number);
  if (type === '\0' || type === '7') type = '0';
  if (type === '0' && name.endsWith('/')) type = '5';
  return {
    type,
    name,
    mode: tarNumber(block, 100, 8, 'mode') & 0o7777,
    uid: tarNumber(block, 108, 8, 'uid'),
    gid: tarNumber(block, 116, 8, 'gid'),
    size: tarNumber(block, 124, 12, 'size'),
    mtime: tarNumber(block, 136, 12, 'mtime'),
    linkName: text(block, 157, 100),
    deviceMajor: posix && (type === '3' || type === '4') ? tarNumber(block, 329, 8, 'device') : 0,
    deviceMinor: posix && (type === '3' || type === '4') ? tarNumber(block, 337, 8, 'device') : 0,
  };
}

/**
 * Decodes a number field: octal with spaces and NULs around, or base 256 (GNU).
 * @throws IMAGE_CORRUPT when it is neither, or beyond 2^53
 */
export function tarNumber(block: Buffer, offset: number, length: number, field: string): number {
  const first = block[offset] as number;
  if (first >= 0x80) return base256(block, offset, length, field);
  let value = 0;
  let seen = false;
  for (let i = offset; i < offset + length; i++) {
    const c = block[i] as number;
    if (c >= 0x30 && c <= 0x37) {
      value = value * 8 + (c - 0x30);
      seen = true;
    } else if (c === 0 || c === 0x20) {
      if (seen) break;
    } else {
      throw corrupt(`tar header has a ${field} that is no octal number`);
    }
  }
  return value;
}

function base256(block: Buffer, offset: number, length: number, field: string): number {
  const negative = (block[offset] as number) === 0xff;
  let value = BigInt(negative ? -1 : (block[offset] as number) & 0x7f);
  for (let i = offset + 1; i < offset + length; i++) value = value * 256n + BigInt(block[i] as number);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw corrupt(`tar header has a ${field} beyond 2^53`);
  return number;
}

function text(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset);
  return block.toString('latin1', offset, end === -1 || end > offset + length ? offset + length : end);
}

function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < TAR_BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/** The sum counts bytes as unsigned; some old writers summed them as signed. */
function checksumHolds(block: Buffer): boolean {
  let unsigned = 256;
  let high = 0;
  for (let i = 0; i < 148; i++) {
    const byte = block[i] as number;
    unsigned += byte;
    if (byte > 127) high++;
  }
  for (let i = 156; i < TAR_BLOCK; i++) {
    const byte = block[i] as number;
    unsigned += byte;
    if (byte > 127) high++;
  }
  if (unsigned === 256) return false;
  const stored = tarNumber(block, 148, 8, 'checksum');
  return stored === unsigned || stored === unsigned - 256 * high;
}
