/** Machine code of `exit(0)` by Linux's system calls, and ELF's number of the machine. */
const MACHINES: Readonly<Partial<Record<NodeJS.Architecture, { readonly number: number; readonly code: string }>>> = {
  // xor edi, edi; mov eax, 60; syscall
  x64: { number: 62, code: '31ffb83c0000000f05' },
  // mov x0, #0; mov x8, #93; svc #0
  arm64: { number: 183, code: '000080d2a80b80d2010000d4' },
};
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const BASE = 0x400000;

/**
 * The smallest Linux program that does nothing and succeeds: an ELF file (System V ABI, "Object Files") of one segment.
 * @returns undefined where this project has no code for the machine
 */
export function noOpProgram(architecture: NodeJS.Architecture = process.arch): Buffer | undefined {
  const machine = MACHINES[architecture];
  if (!machine) return undefined;
  const code = Buffer.from(machine.code, 'hex');
  const codeAt = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES;
  const file = Buffer.alloc(codeAt + code.length);
  // 64-bit, little-endian, version 1; type EXEC.
  file.write('7f454c46020101', 0, 'hex');
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(machine.number, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(BASE + codeAt), 24);
  file.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32);
  file.writeUInt16LE(ELF_HEADER_BYTES, 52);
  file.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  file.writeUInt16LE(1, 56);
  // LOAD, readable and executable, the whole file.
  file.writeUInt32LE(1, ELF_HEADER_BYTES);
  file.writeUInt32LE(5, ELF_HEADER_BYTES + 4);
  file.writeBigUInt64LE(BigInt(BASE), ELF_HEADER_BYTES + 16);
  file.writeBigUInt64LE(BigInt(BASE), ELF_HEADER_BYTES + 24);
  file.writeBigUInt64LE(BigInt(file.length), ELF_HEADER_BYTES + 32);
  file.writeBigUInt64LE(BigInt(file.length), ELF_HEADER_BYTES + 40);
  file.writeBigUInt64LE(0x1000n, ELF_HEADER_BYTES + 48);
  code.copy(file, codeAt);
  return file;
}
