/** Makes a mutated archive's headers pass their checksums, so that the mutation is met by what lies behind them. */
import { withChecksum } from '../../test/support/tar-builder.ts';

const BLOCK = 512;
/** Type flags whose entries have content. */
const WITH_CONTENT = new Set(['0', '\0', '7', 'x', 'g', 'L', 'K', 'S']);

/** Walks the headers as a reader does and repairs the checksum of each, in place, up to a block of zeros. */
export function repairChecksums(tar: Buffer): Buffer {
  let at = 0;
  while (at + BLOCK <= tar.length) {
    const block = tar.subarray(at, at + BLOCK);
    if (block.every((byte) => byte === 0)) break;
    withChecksum(block);
    const size = /^[ \0]*([0-7]+)/.exec(block.toString('latin1', 124, 136))?.[1];
    const content = WITH_CONTENT.has(String.fromCharCode(block[156] as number)) ? parseInt(size ?? '0', 8) : 0;
    at += BLOCK + Math.ceil(content / BLOCK) * BLOCK;
  }
  return tar;
}
