/** One entry of a cpio archive. Everything belongs to root and carries no time, so that equal input gives equal bytes. */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly name: string; readonly mode: number }
  | { readonly kind: 'file'; readonly name: string; readonly mode: number; readonly data: Uint8Array }
  | {
      readonly kind: 'character-device';
      readonly name: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const TYPE_BITS = { directory: 0o040000, file: 0o100000, 'character-device': 0o020000 } as const;
const TRAILER = 'TRAILER!!!';

/** Writes an archive in the `newc` format, as Linux takes it for an initramfs (kernel docs, buffer-format.rst). */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  entries.forEach((entry, index) => {
    const data = entry.kind === 'file' ? entry.data : new Uint8Array();
    const device = entry.kind === 'character-device' ? entry : { major: 0, minor: 0 };
    const mode = TYPE_BITS[entry.kind] | entry.mode;
    const links = entry.kind === 'directory' ? 2 : 1;
    parts.push(header([index + 1, mode, 0, 0, links, 0, data.length, 0, 0, device.major, device.minor], entry.name));
    parts.push(data, padding(data.length));
  });
  parts.push(header([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], TRAILER));
  return Buffer.concat(parts);
}

function header(fields: readonly number[], name: string): Buffer {
  const nameBytes = Buffer.from(`${name}\0`, 'utf8');
  const words = [...fields, nameBytes.length, 0].map((field) => field.toString(16).padStart(8, '0'));
  const head = Buffer.from(`070701${words.join('')}`, 'latin1');
  return Buffer.concat([head, nameBytes, padding(head.length + nameBytes.length)]);
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
