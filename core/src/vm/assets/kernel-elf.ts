import { BoxError } from '../../errors/box-error.js';

/** A raw kernel image and where it wants to lie. */
export interface RawKernel {
  readonly image: Uint8Array;
  /** Guest-physical address of the first byte. */
  readonly loadAddress: bigint;
  /** Guest-physical address of the 64-bit entry. */
  readonly entryAddress: bigint;
}

const ELF_HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const IMAGE_OFFSET = 4096;
/** Room for the kernel's zero-initialised data, which the raw image does not carry. */
const BSS_BYTES = 8 * 1024 * 1024;
const PT_LOAD = 1;
const PT_NOTE = 4;
const EM_X86_64 = 62;

/** XEN_ELFNOTE_PHYS32_ENTRY of Xen's public/elfnote.h: the value is the PVH entry. */
const PVH_NOTE_TYPE = 18;
const NOTE_NAME = Buffer.from('Xen\0', 'latin1');
const NOTE_HEADER_SIZE = 12;

/**
 * Wraps a raw x86-64 kernel image as the ELF that both QEMU (by its PVH note) and libkrun (by `e_entry`) boot.
 *
 * @returns the header, one page; the image follows it at once
 * @throws ASSETS_CORRUPT when the image carries no PVH note
 */
export function kernelElfHeader(kernel: RawKernel): Buffer {
  const note = findPvhNote(kernel.image);
  const size = BigInt(kernel.image.length);
  const header = Buffer.alloc(IMAGE_OFFSET);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16); // e_type: executable
  header.writeUInt16LE(EM_X86_64, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(kernel.entryAddress, 24);
  header.writeBigUInt64LE(BigInt(ELF_HEADER_SIZE), 32);
  header.writeUInt16LE(ELF_HEADER_SIZE, 52);
  header.writeUInt16LE(PROGRAM_HEADER_SIZE, 54);
  header.writeUInt16LE(2, 56);
  writeProgramHeader(header, 0, {
    type: PT_LOAD,
    flags: 7,
    offset: BigInt(IMAGE_OFFSET),
    address: kernel.loadAddress,
    fileSize: size,
    memorySize: size + BigInt(BSS_BYTES),
    alignment: BigInt(IMAGE_OFFSET),
  });
  writeProgramHeader(header, 1, {
    type: PT_NOTE,
    flags: 4,
    offset: BigInt(IMAGE_OFFSET + note.offset),
    address: kernel.loadAddress + BigInt(note.offset),
    fileSize: BigInt(note.size),
    memorySize: BigInt(note.size),
    alignment: 4n,
  });
  return header;
}

interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: bigint;
  readonly address: bigint;
  readonly fileSize: bigint;
  readonly memorySize: bigint;
  readonly alignment: bigint;
}

function writeProgramHeader(target: Buffer, index: number, header: ProgramHeader): void {
  const start = ELF_HEADER_SIZE + index * PROGRAM_HEADER_SIZE;
  target.writeUInt32LE(header.type, start);
  target.writeUInt32LE(header.flags, start + 4);
  const words = [header.offset, header.address, header.address, header.fileSize, header.memorySize, header.alignment];
  words.forEach((word, position) => target.writeBigUInt64LE(word, start + 8 + position * 8));
}

function findPvhNote(image: Uint8Array): { offset: number; size: number } {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  for (let name = bytes.indexOf(NOTE_NAME); name >= 0; name = bytes.indexOf(NOTE_NAME, name + 1)) {
    const offset = name - NOTE_HEADER_SIZE;
    if (offset < 0 || offset % 4 !== 0) continue;
    const descriptorSize = bytes.readUInt32LE(offset + 4);
    const isPvh = bytes.readUInt32LE(offset) === NOTE_NAME.length && bytes.readUInt32LE(offset + 8) === PVH_NOTE_TYPE;
    if (isPvh && (descriptorSize === 4 || descriptorSize === 8)) {
      return { offset, size: NOTE_HEADER_SIZE + NOTE_NAME.length + descriptorSize };
    }
  }
  throw new BoxError('ASSETS_CORRUPT', 'kernel image has no PVH entry note', {
    hint: 'install a libkrunfw whose kernel was built with CONFIG_PVH',
  });
}
