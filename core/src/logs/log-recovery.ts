import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './log-failure.js';
import { listLogFiles, logFileName, openLogFile, removeUnfinished } from './log-files.js';
import { LineBlock, wholeLinesEnd } from './line-block.js';
import { LOG_STREAMS, type LogStream } from './log-record.js';
import { RecordParser } from './record-parser.js';

/** Where a log goes on. */
export interface LogEnd {
  /** The file that is appended to; undefined before there is one. */
  readonly file: FileHandle | undefined;
  /** Bytes of that file. */
  readonly size: number;
  /** Next offset of each stream. */
  readonly next: Record<LogStream, bigint>;
  /** Position in the file of each stream's last record; -Infinity when it has none there and the log has others. */
  readonly last: Record<LogStream, number>;
}

interface Found {
  readonly next: bigint;
  readonly position: number;
}

/** Cuts off what a write that did not end left in the newest file, and finds out where the log goes on. */
export async function recoverLog(directory: string): Promise<LogEnd> {
  await removeUnfinished(directory);
  const file = await openToAppend(directory);
  try {
    const size = file ? await cutTornLine(file) : 0;
    const found = file ? await lastRecords(file, size, {}) : {};
    const files = listLogFiles(directory);
    const older = file ? files.slice(0, -1) : files;
    const all = await searchOlder(directory, older.map(({ ino }) => ino).toReversed(), found);
    const isNew = older.length === 0;
    return {
      file,
      size,
      next: perStream((stream) => all[stream]?.next ?? 0n),
      last: perStream((stream) => found[stream]?.position ?? (isNew ? 0 : -Infinity)),
    };
  } catch (error) {
    await file?.close();
    throw error;
  }
}

async function openToAppend(directory: string): Promise<FileHandle | undefined> {
  try {
    return await open(join(directory, logFileName(0)), constants.O_RDWR | constants.O_APPEND);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function cutTornLine(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const end = await wholeLinesEnd(file, size);
  if (end < size) await file.truncate(end);
  return end;
}

type FoundRecords = Partial<Record<LogStream, Found>>;

/** The last record of each stream that is not known yet, looked for from a position back to the start of a file. */
async function lastRecords(file: FileHandle, from: number, known: FoundRecords): Promise<FoundRecords> {
  const parser = new RecordParser();
  const found = { ...known };
  let end = from;
  for (let block = await LineBlock.before(file, end); block; block = await LineBlock.before(file, end)) {
    for (let line = block.count - 1; line >= 0; line--) {
      if (LOG_STREAMS.every((stream) => found[stream])) return found;
      const record = parser.parse(block, block.start(line), block.end(line));
      if (!record) continue;
      const next = record.offset + BigInt(record.data.length);
      found[record.stream] ??= { next, position: block.position + block.start(line) };
    }
    end = block.count > 0 ? block.position + block.first : block.position;
  }
  return found;
}

async function searchOlder(directory: string, inos: readonly bigint[], known: FoundRecords): Promise<FoundRecords> {
  let found = known;
  for (const ino of inos) {
    if (LOG_STREAMS.every((stream) => found[stream])) break;
    const file = await openLogFile(directory, ino);
    if (!file) continue;
    try {
      found = await lastRecords(file.handle, await wholeLinesEnd(file.handle, file.size), found);
    } finally {
      await file.handle.close();
    }
  }
  return found;
}

function perStream<T>(value: (stream: LogStream) => T): Record<LogStream, T> {
  return { stdout: value('stdout'), stderr: value('stderr') };
}
