/** Writes DER (X.690): as much as certificates and timestamps need. */
export function tlv(tag: number, ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  const length: number[] = [];
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
  const head = body.length < 128 ? [tag, body.length] : [tag, 0x80 + length.length, ...length];
  return Buffer.concat([Buffer.from(head), body]);
}

export const sequence = (...contents: Uint8Array[]): Buffer => tlv(0x30, ...contents);
export const set = (...contents: Uint8Array[]): Buffer => tlv(0x31, ...contents);
export const octets = (bytes: Uint8Array): Buffer => tlv(0x04, bytes);
export const bits = (bytes: Uint8Array, unused = 0): Buffer => tlv(0x03, Buffer.from([unused]), bytes);
export const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text));
export const yes = (): Buffer => tlv(0x01, Buffer.from([0xff]));
/** Context-specific and constructed: `[n] EXPLICIT`. */
export const explicit = (n: number, ...contents: Uint8Array[]): Buffer => tlv(0xa0 + n, ...contents);
/** Context-specific and primitive: `[n] IMPLICIT`. */
export const implicit = (n: number, bytes: Uint8Array): Buffer => tlv(0x80 + n, bytes);

export function integer(value: number | Uint8Array): Buffer {
  if (typeof value !== 'number') return tlv(0x02, (value[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), value]) : value);
  const bytes: number[] = [];
  do {
    bytes.unshift(value % 256);
    value = Math.floor(value / 256);
  } while (value > 0);
  return integer(Buffer.from(bytes));
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left % 128) + 128);
    bytes.push(...groups);
  }
  return tlv(0x06, Buffer.from(bytes));
}

/** GeneralizedTime, in seconds. */
export function time(date: Date): Buffer {
  return tlv(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\.\d+/g, '')}`));
}
