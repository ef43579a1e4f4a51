import { BoxError } from '../../errors/box-error.js';

/** ELF64, little-endian (System V ABI, "Object Files"). */
const ELF_IDENTITY = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
const EM_AARCH64 = 183;
const SECTION_HEADER_SIZE = 64;
const SHT_DYNSYM = 11;
const SYMBOL_SIZE = 24;
/** With the zero that ends it. */
const BUNDLE = 'KERNEL_BUNDLE\0';

/** Documentation/arch/arm64/booting.rst of Linux: "ARM\x64" at 56. */
const IMAGE_HEADER_SIZE = 64;
const MAGIC_AT = 56;
const IMAGE_MAGIC = 0x644d5241;

interface Section {
  readonly type: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  /** Index of the section with the names. */
  readonly link: number;
}

/**
 * The kernel in libkrunfw for arm64, a raw Image, which QEMU and libkrun boot as it is. The library is read, not loaded: it
 * is mostly not for this host's processor.
 *
 * @param library the file's bytes @param path for messages
 * @throws ASSETS_CORRUPT when it is no such library
 */
export function arm64Image(library: Buffer, path: string): Buffer {
  const image = whole(() => bundle(library));
  if (image && image.length >= IMAGE_HEADER_SIZE && image.readUInt32LE(MAGIC_AT) === IMAGE_MAGIC) return image;
  throw new BoxError('ASSETS_CORRUPT', `boot asset source ${path} holds no arm64 kernel`, {
    hint: 'reinstall the package that it belongs to',
  });
}

/** What is read, unless the file ends before: then numbers in it point outside of it. */
function whole<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function bundle(library: Buffer): Buffer | undefined {
  if (!library.subarray(0, ELF_IDENTITY.length).equals(ELF_IDENTITY)) return undefined;
  if (library.readUInt16LE(18) !== EM_AARCH64) return undefined;
  const sections = sectionsOf(library);
  for (const symbols of sections.filter(({ type }) => type === SHT_DYNSYM)) {
    const names = sections[symbols.link];
    if (names === undefined) continue;
    for (let at = symbols.offset; at < symbols.offset + symbols.size; at += SYMBOL_SIZE) {
      const name = names.offset + library.readUInt32LE(at);
      if (library.toString('latin1', name, name + BUNDLE.length) !== BUNDLE) continue;
      const home = sections[library.readUInt16LE(at + 6)];
      if (home === undefined) return undefined;
      const offset = home.offset + wide(library, at + 8) - home.address;
      const size = wide(library, at + 16);
      return offset >= 0 && offset + size <= library.length ? library.subarray(offset, offset + size) : undefined;
    }
  }
  return undefined;
}

function sectionsOf(library: Buffer): Section[] {
  const table = wide(library, 40);
  return Array.from({ length: library.readUInt16LE(60) }, (_, index) => {
    const at = table + index * SECTION_HEADER_SIZE;
    return {
      type: library.readUInt32LE(at + 4),
      address: wide(library, at + 16),
      offset: wide(library, at + 24),
      size: wide(library, at + 32),
      link: library.readUInt32LE(at + 40),
    };
  });
}

function wide(library: Buffer, at: number): number {
  return Number(library.readBigUInt64LE(at));
}
