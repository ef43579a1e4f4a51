import { open } from 'node:fs/promises';

const PIECE = 1024 * 1024;

/** Whether two files have the same content. @throws what the system says */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  await using first = await open(one);
  await using second = await open(other);
  const [a, b] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];
  if ((await first.stat()).size !== (await second.stat()).size) return false;
  for (let position = 0; ;) {
    const { bytesRead } = await first.read(a, 0, PIECE, position);
    if (bytesRead === 0) return true;
    // Both have the same size: less than asked for is a file that changes.
    const read = await second.read(b, 0, bytesRead, position);
    if (read.bytesRead < bytesRead || !a.subarray(0, bytesRead).equals(b.subarray(0, bytesRead))) return false;
    position += bytesRead;
  }
}
