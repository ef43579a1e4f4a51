import type { SparseRun } from './sparse-map.js';
import type { TarEntryType, Xattr } from './tar-entry.js';
import { TAR_BLOCK } from './tar-header.js';

/** A member to write. Strings hold one byte per character, as in {@link TarEntry}. */
export interface TarMember {
  readonly type: TarEntryType;
  /** Without a slash at its end. */
  readonly name: string;
  /** Target of a symbolic link, or name of the member that a hard link is one more name of. */
  readonly linkName?: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file as a reader sees it. */
  readonly size?: number;
  /** Where the data of a sparse file is; what follows the header then is that data alone. */
  readonly runs?: readonly SparseRun[];
  /** Seconds since the epoch, rounded down, and nanoseconds from there. */
  readonly mtime: number;
  readonly mtimeNanoseconds?: number;
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  readonly xattrs?: readonly Xattr[];
}

const FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};
const NAME_BYTES = 100;
/** What octal digits hold in the fields of a header. */
const MOST_ID = 0o7777777;
const MOST_SIZE = 0o77777777777;

/** What stands before a member's data: its header, after a PAX header for what does not fit there. */
export function tarHeader(member: TarMember): Buffer {
  const name = member.type === 'directory' ? `${member.name}/` : member.name;
  const map = member.runs && sparseMap(member.runs, member.size ?? 0);
  const stored = member.type === 'file' ? storedSize(member, map) : 0;
  const shown = map ? `GNUSparseFile.0/${name.slice(name.lastIndexOf('/') + 1)}` : name;
  const records = [...sparseRecords(member, name), ...paxRecords(member, shown, stored)];
  const header = block({ ...member, name: shown, size: stored }, FLAGS[member.type]);
  if (records.length === 0) return header;
  const payload = Buffer.concat(records);
  const extension = block(
    { type: 'file', name: 'PaxHeaders.0/x', mode: 0o644, uid: 0, gid: 0, size: payload.length, mtime: 0 },
    'x',
  );
  return Buffer.concat([extension, payload, tarPadding(payload.length), header, map ?? Buffer.alloc(0)]);
}

/** How many bytes of data a member's header announces. */
function storedSize({ size = 0, runs }: TarMember, map: Buffer | undefined): number {
  return map && runs ? map.length + runs.reduce((sum, { length }) => sum + length, 0) : size;
}

/** What follows so many bytes of data. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
}

/** The end of an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * TAR_BLOCK);
}

/** GNU's sparse format 1.0: numbers in lines, filled up to whole blocks. */
function sparseMap(runs: readonly SparseRun[], size: number): Buffer {
  const last = runs.at(-1);
  // GNU tar takes the end of the map for the end of the file.
  const ends = last !== undefined && last.offset + last.length === size;
  const all = ends ? runs : [...runs, { offset: size, length: 0 }];
  const lines = [all.length, ...all.flatMap(({ offset, length }) => [offset, length])];
  const text = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  return Buffer.concat([text, tarPadding(text.length)]);
}

function sparseRecords({ runs, size = 0 }: TarMember, name: string): Buffer[] {
  if (!runs) return [];
  return [
    record('GNU.sparse.major', '1'),
    record('GNU.sparse.minor', '0'),
    record('GNU.sparse.name', name),
    record('GNU.sparse.realsize', String(size)),
  ];
}

function paxRecords(member: TarMember, name: string, stored: number): Buffer[] {
  const { linkName = '', uid, gid, mtime, mtimeNanoseconds = 0, xattrs = [] } = member;
  const records: Buffer[] = [];
  if (!isUtf8(name) || !isUtf8(linkName)) records.push(record('hdrcharset', 'BINARY'));
  if (name.length > NAME_BYTES) records.push(record('path', name));
  if (linkName.length > NAME_BYTES) records.push(record('linkpath', linkName));
  if (stored > MOST_SIZE) records.push(record('size', String(stored)));
  if (uid > MOST_ID) records.push(record('uid', String(uid)));
  if (gid > MOST_ID) records.push(record('gid', String(gid)));
  if (mtimeNanoseconds !== 0 || mtime < 0 || mtime > MOST_SIZE) {
    records.push(record('mtime', paxTimeText(mtime, mtimeNanoseconds)));
  }
  for (const { name: key, value } of xattrs) records.push(record(`SCHILY.xattr.${key}`, value));
  return records;
}

function isUtf8(bytes: string): boolean {
  const raw = Buffer.from(bytes, 'latin1');
  return Buffer.from(raw.toString('utf8')).equals(raw);
}

/** Seconds with a fraction: of times before the epoch, the fraction counts away from it. */
function paxTimeText(seconds: number, nanoseconds: number): string {
  const early = seconds < 0 && nanoseconds > 0;
  const whole = early ? seconds + 1 : seconds;
  const fraction = early ? 1_000_000_000 - nanoseconds : nanoseconds;
  const sign = early && whole === 0 ? '-' : '';
  return fraction === 0 ? String(whole) : `${sign}${whole}.${String(fraction).padStart(9, '0')}`;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function record(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([
    Buffer.from(` ${key}=`, 'latin1'),
    Buffer.from(value as string, 'latin1'),
    Buffer.from('\n'),
  ]);
  let length = rest.length;
  for (let digits = 0; digits !== String(length).length;) {
    digits = String(length).length;
    length = rest.length + digits;
  }
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** One header block (POSIX ustar). What does not fit its field is cut, and told in a PAX header. */
function block(member: TarMember, flag: string): Buffer {
  const { name, linkName = '', mode, uid, gid, size = 0, mtime, deviceMajor = 0, deviceMinor = 0 } = member;
  const header = Buffer.alloc(TAR_BLOCK);
  header.write(name, 0, NAME_BYTES, 'latin1');
  octal(header, mode, 100, 8);
  octal(header, Math.min(uid, MOST_ID), 108, 8);
  octal(header, Math.min(gid, MOST_ID), 116, 8);
  octal(header, Math.min(size, MOST_SIZE), 124, 12);
  octal(header, Math.min(Math.max(mtime, 0), MOST_SIZE), 136, 12);
  header.fill(' ', 148, 156);
  header.write(flag, 156, 'latin1');
  header.write(linkName, 157, NAME_BYTES, 'latin1');
  header.write('ustar\u000000', 257, 'latin1');
  octal(header, deviceMajor, 329, 8);
  octal(header, deviceMinor, 337, 8);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function octal(header: Buffer, value: number, offset: number, length: number): void {
  header.write(value.toString(8).padStart(length - 1, '0'), offset, length - 1, 'latin1');
}
