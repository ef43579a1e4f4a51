/** Builds tar archives byte by byte, well-formed or not, for tests. Names are latin1 strings: one character, one byte. */

export interface Member {
  readonly name: string;
  /** ustar type flag; default '0'. */
  readonly type?: string;
  readonly data?: Buffer;
  /** What a reader sees, where that is not the data as it is stored. */
  readonly content?: Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  /** Nanoseconds of the time, for a PAX record. */
  readonly nanoseconds?: number;
  readonly link?: string;
  readonly major?: number;
  readonly minor?: number;
  /** Records of a PAX header that goes before it. */
  readonly pax?: readonly (readonly [key: string, value: Buffer | string])[];
  /** Size in the header, where it is not that of the data. */
  readonly size?: number;
}

const LONG = 100;

export function archive(members: readonly Member[], end = true): Buffer {
  return Buffer.concat([...members.map(member), end ? Buffer.alloc(1024) : Buffer.alloc(0)]);
}

export function member(entry: Member): Buffer {
  const data = entry.data ?? Buffer.alloc(0);
  const parts: Buffer[] = [];
  const records = [...(entry.pax ?? [])];
  if (entry.name.length > LONG) records.push(['path', entry.name]);
  if ((entry.link ?? '').length > LONG) records.push(['linkpath', entry.link as string]);
  if (entry.nanoseconds !== undefined) {
    records.push(['mtime', `${entry.mtime ?? 0}.${String(entry.nanoseconds).padStart(9, '0')}`]);
  }
  if (records.length > 0) parts.push(extension('x', paxPayload(records)));
  parts.push(header(entry, entry.size ?? data.length), data, padding(data.length));
  return Buffer.concat(parts);
}

/** A header of type x, g, L or K with its payload. */
export function extension(type: string, payload: Buffer): Buffer {
  return Buffer.concat([header({ name: './extension', type }, payload.length), payload, padding(payload.length)]);
}

export function paxPayload(records: readonly (readonly [string, Buffer | string])[]): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const tail = Buffer.concat([
        Buffer.from(` ${key}=`, 'latin1'),
        Buffer.from(value as string, 'latin1'),
        Buffer.from('\n'),
      ]);
      let length = tail.length;
      while (String(length).length + tail.length !== length) length = String(length).length + tail.length;
      return Buffer.concat([Buffer.from(String(length)), tail]);
    }),
  );
}

export function header(entry: Member, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name.slice(0, LONG), 0, 'latin1');
  octal(block, entry.mode ?? 0o644, 100, 8);
  octal(block, entry.uid ?? 0, 108, 8);
  octal(block, entry.gid ?? 0, 116, 8);
  octal(block, size, 124, 12);
  octal(block, entry.mtime ?? 0, 136, 12);
  block.write(entry.type ?? '0', 156, 'latin1');
  block.write((entry.link ?? '').slice(0, LONG), 157, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  octal(block, entry.major ?? 0, 329, 8);
  octal(block, entry.minor ?? 0, 337, 8);
  return withChecksum(block);
}

export function withChecksum(block: Buffer): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function padding(size: number): Buffer {
  return Buffer.alloc((512 - (size % 512)) % 512);
}

/** Octal where it fits, else base 256. */
export function octal(block: Buffer, value: number, offset: number, length: number): void {
  const digits = value.toString(8);
  if (value >= 0 && digits.length < length) {
    block.write(digits.padStart(length - 1, '0'), offset, 'latin1');
    return;
  }
  let rest = BigInt(value);
  for (let i = offset + length - 1; i > offset; i--) {
    block[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[offset] = value < 0 ? 0xff : 0x80;
}
