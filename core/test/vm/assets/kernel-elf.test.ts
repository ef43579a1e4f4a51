import assert from 'node:assert/strict';
import { kernelElfHeader } from '../../../dist/vm/assets/kernel-elf.js';

const LOAD = 0x1000000n;
const ENTRY = 0x1000123n;

/** An image with a PVH note at the offset. */
function image(noteOffset: number, type = 18): Buffer {
  const bytes = Buffer.alloc(64 * 1024);
  bytes.write('Xen\0', 3); // A name alone, unaligned: no note.
  bytes.writeUInt32LE(4, noteOffset);
  bytes.writeUInt32LE(8, noteOffset + 4);
  bytes.writeUInt32LE(type, noteOffset + 8);
  bytes.write('Xen\0', noteOffset + 12);
  bytes.writeBigUInt64LE(LOAD, noteOffset + 16);
  return bytes;
}

describe('kernel ELF', () => {
  it('loads the whole image with room for bss and enters at the 64-bit entry', () => {
    const raw = image(0x2000);
    const header = kernelElfHeader({ image: raw, loadAddress: LOAD, entryAddress: ENTRY });
    assert.equal(header.length, 4096);
    assert.equal(header.subarray(0, 4).toString('latin1'), '\x7fELF');
    assert.equal(header.readBigUInt64LE(24), ENTRY);
    assert.equal(header.readUInt32LE(64), 1);
    assert.equal(header.readBigUInt64LE(64 + 8), 4096n);
    assert.equal(header.readBigUInt64LE(64 + 24), LOAD);
    assert.equal(header.readBigUInt64LE(64 + 32), BigInt(raw.length));
    assert.equal(header.readBigUInt64LE(64 + 40), BigInt(raw.length + 8 * 1024 * 1024));
  });

  it('points at the PVH note inside the image', () => {
    const header = kernelElfHeader({ image: image(0x2004), loadAddress: LOAD, entryAddress: ENTRY });
    const note = 64 + 56;
    assert.equal(header.readUInt32LE(note), 4);
    assert.equal(header.readBigUInt64LE(note + 8), BigInt(4096 + 0x2004));
    assert.equal(header.readBigUInt64LE(note + 24), LOAD + 0x2004n);
    assert.equal(header.readBigUInt64LE(note + 32), 24n);
  });

  it('is refused for an image without the note', () => {
    const raw = { image: image(0x2000, 17), loadAddress: LOAD, entryAddress: ENTRY };
    assert.throws(() => kernelElfHeader(raw), { code: 'ASSETS_CORRUPT' });
  });
});
