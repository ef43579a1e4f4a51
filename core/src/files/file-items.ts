/** Files on their way between a host and a box: entries, each followed by its data. */
import { FileEntry, FileItems, FileType, type FileItem } from '../gen/a3s/box/agent/v1/files.js';

export type { FileItem };
export { FileEntry, FileType };

/** Bytes of a message, about: its own costs do not matter then, and others do not wait long behind it. */
const MESSAGE_BYTES = 128 * 1024;
const ENTRY_BYTES = 64;

export function entryItem(entry: Partial<FileEntry>): FileItem {
  return { item: { $case: 'entry', value: FileEntry.create(entry) } };
}

export function dataItem(value: Buffer): FileItem {
  return { item: { $case: 'data', value } };
}

/** The items of encoded messages (`FileItems` of the agent's protocol). */
export async function* decodeItems(messages: AsyncIterable<Buffer>): AsyncGenerator<FileItem, void, void> {
  for await (const message of messages) yield* FileItems.decode(message).items;
}

/** Puts items together to encoded messages of a good size. */
export async function* encodeItems(items: AsyncIterable<FileItem>): AsyncGenerator<Buffer, void, void> {
  let batch: FileItem[] = [];
  let bytes = 0;
  for await (const item of items) {
    batch.push(item);
    bytes += weight(item);
    if (bytes < MESSAGE_BYTES) continue;
    yield Buffer.from(FileItems.encode({ items: batch }).finish());
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield Buffer.from(FileItems.encode({ items: batch }).finish());
}

function weight({ item }: FileItem): number {
  if (item?.$case === 'data') return item.value.length;
  if (item?.$case !== 'entry') return 0;
  const { path, link, runs, attributes } = item.value;
  const kept = attributes.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
  return ENTRY_BYTES + path.length + link.length + 16 * runs.length + kept;
}
