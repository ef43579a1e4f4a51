import assert from 'node:assert/strict';
import fc from 'fast-check';
import { arm64Image } from '../../../dist/vm/assets/arm64-image.js';

const SYMBOLS = 0x100;
const NAMES = 0x140;
const DATA = 0x180;
const SECTIONS = 0x400;
const DATA_ADDRESS = 0x40000;

interface Library {
  readonly machine?: number;
  readonly name?: string;
  readonly magic?: string;
  readonly size?: number;
}

/** An ELF library with dynamic symbols, their names and data. */
function library({ machine = 183, name = 'KERNEL_BUNDLE', magic = 'ARMd', size = 128 }: Library = {}): Buffer {
  const file = Buffer.alloc(SECTIONS + 4 * 64);
  file.write('7f454c46020101', 0, 'hex');
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(BigInt(SECTIONS), 40);
  file.writeUInt16LE(4, 60);
  const section = (index: number, type: number, address: number, offset: number, bytes: number, link = 0): void => {
    const at = SECTIONS + index * 64;
    file.writeUInt32LE(type, at + 4);
    file.writeBigUInt64LE(BigInt(address), at + 16);
    file.writeBigUInt64LE(BigInt(offset), at + 24);
    file.writeBigUInt64LE(BigInt(bytes), at + 32);
    file.writeUInt32LE(link, at + 40);
  };
  section(1, 11, 0, SYMBOLS, 48, 2);
  section(2, 3, 0, NAMES, 32);
  section(3, 1, DATA_ADDRESS, DATA, 0x200);
  file.writeUInt32LE(1, SYMBOLS + 24);
  file.writeUInt16LE(3, SYMBOLS + 24 + 6);
  file.writeBigUInt64LE(BigInt(DATA_ADDRESS + 16), SYMBOLS + 24 + 8);
  file.writeBigUInt64LE(BigInt(size), SYMBOLS + 24 + 16);
  file.write(name, NAMES + 1, 'latin1');
  file.write(magic, DATA + 16 + 56, 'latin1');
  return file;
}

describe('the arm64 kernel in libkrunfw', () => {
  it('is the bytes of its symbol', () => {
    const file = library();
    assert.deepEqual(arm64Image(file, 'x'), file.subarray(DATA + 16, DATA + 16 + 128));
  });

  const damages: Readonly<Record<string, Library>> = {
    'for another processor': { machine: 62 },
    'without the symbol': { name: 'SOMETHING' },
    'with a longer name': { name: 'KERNEL_BUNDLES' },
    'whose symbol is no kernel': { magic: 'none' },
    'whose kernel is cut off': { size: 0x10000 },
    'whose kernel is shorter than its header': { size: 8 },
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`is not in a library ${what}`, () => {
      assert.throws(() => arm64Image(library(damage), '/lib/x'), { code: 'ASSETS_CORRUPT', message: /\/lib\/x/ });
    });
  }

  it('is found or refused by name, whatever the file is', () => {
    const whole = library();
    const damaged = fc.tuple(fc.nat(whole.length), fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255))));
    fc.assert(
      fc.property(damaged, ([length, changes]) => {
        const file = Buffer.from(whole);
        for (const [at, byte] of changes) file[at] = byte;
        try {
          arm64Image(file.subarray(0, length), 'x');
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ASSETS_CORRUPT');
        }
      }),
    );
  });
});
