/** A run of bytes that lie together in the guest's memory. */
export type Extent = readonly [offset: number, bytes: number];

/** Consecutive bytes of a memory file, with where in the memory they belong. */
export interface MemoryChunk {
  /** Where it begins in the file, bytes. */
  readonly position: number;
  readonly bytes: number;
  readonly extents: readonly Extent[];
}

const PAGE = 4096;
/** Holes of at most this many bytes are written as zeros: each run costs a line in the manifest and a call. */
const SMALL_HOLE = 4 * PAGE;
export const CHUNK_BYTES = 1024 * 1024;

/** The parts of some data that are not zero, in pages, small holes filled. @param base offset of the data in the memory */
export function extentsOf(data: Buffer, base: number): Extent[] {
  const found: [number, number][] = [];
  for (let page = 0; page < data.length; page += PAGE) {
    const end = Math.min(page + PAGE, data.length);
    if (isZero(data, page, end)) continue;
    append(found, base + page, end - page);
  }
  return found;
}

/** Joins runs that follow each other with small holes between them. */
export function joinExtents(extents: readonly Extent[]): Extent[] {
  const joined: [number, number][] = [];
  for (const [offset, bytes] of extents) append(joined, offset, bytes);
  return joined;
}

function append(extents: [number, number][], offset: number, bytes: number): void {
  const last = extents.at(-1);
  if (last !== undefined && offset - (last[0] + last[1]) <= SMALL_HOLE) last[1] = offset + bytes - last[0];
  else extents.push([offset, bytes]);
}

function isZero(data: Buffer, start: number, end: number): boolean {
  const words = new BigUint64Array(data.buffer, data.byteOffset + start, (end - start) >> 3);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0n) return false;
  return true;
}

/** Cuts a memory file, which holds its extents one after the other, into chunks of at most {@link CHUNK_BYTES}. */
export function chunksOf(extents: readonly Extent[]): MemoryChunk[] {
  const chunks: { position: number; bytes: number; extents: Extent[] }[] = [];
  let position = 0;
  for (const [start, length] of extents) {
    for (let done = 0; done < length;) {
      let chunk = chunks.at(-1);
      if (chunk === undefined || chunk.bytes === CHUNK_BYTES)
        chunks.push((chunk = { position, bytes: 0, extents: [] }));
      const taken = Math.min(length - done, CHUNK_BYTES - chunk.bytes);
      chunk.extents.push([start + done, taken]);
      chunk.bytes += taken;
      done += taken;
      position += taken;
    }
  }
  return chunks;
}
