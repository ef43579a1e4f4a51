import type { HttpAnswer } from './registry-transport.js';

/** An answer's body as UTF-8, unless it is longer: then no more of it is read. */
export async function boundedText({ body }: HttpAnswer, limit: number): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > limit) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** What a `Content-Range` says of the first byte. @returns undefined when it says nothing */
export function rangeStart(header: string | undefined): number | undefined {
  const start = /^\s*bytes\s+(\d{1,15})-\d{1,15}\/(?:\d{1,15}|\*)\s*$/i.exec(header ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}
