import { corrupt } from './fault.js';
import { paxNumber, paxTime, type PaxRecord } from './pax.js';
import type { SparseRun } from './sparse-map.js';
import type { TarHeader } from './tar-header.js';

export type TarEntryType = 'file' | 'link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

/** An extended attribute. The name holds one byte per character. */
export interface Xattr {
  readonly name: string;
  readonly value: Buffer;
}

/** One member of a tar archive after all its extensions were applied. Strings hold one byte per character. */
export interface TarEntry {
  readonly type: TarEntryType;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file as a reader sees it; 0 for all but files. */
  readonly size: number;
  /** Bytes of data that the archive stores for it; less than `size` for sparse files. */
  readonly stored: number;
  /** Where the stored bytes belong, for sparse files. */
  readonly runs?: readonly SparseRun[];
  readonly mtime: number;
  readonly mtimeNanoseconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: readonly Xattr[];
}

const TYPES: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

/** @throws IMAGE_CORRUPT for a type that holds no file of a Linux file system (multi-volume parts, labels, ...) */
export function entryType(header: TarHeader): TarEntryType {
  const type = TYPES[header.type];
  if (type === undefined) {
    throw corrupt(`tar entry "${printable(header.name)}" is of the unsupported type "${printable(header.type)}"`);
  }
  return type;
}

/** What extension headers say about the next entry. */
export class EntryExtensions {
  longName?: string;
  longLink?: string;
  records: PaxRecord[] = [];

  get empty(): boolean {
    return this.longName === undefined && this.longLink === undefined && this.records.length === 0;
  }

  /** The archive's bytes of the next entry. */
  storedSize(header: TarHeader): number {
    const size = this.last('size');
    return size === undefined ? header.size : paxNumber('size', size);
  }

  /** Applies the extensions. @param sparse the map and size of a sparse file */
  apply(header: TarHeader, stored: number, sparse?: { runs: SparseRun[]; realSize: number }): TarEntry {
    const type = entryType(header);
    const mtime = this.last('mtime');
    const time = mtime === undefined ? { seconds: header.mtime, nanoseconds: 0 } : paxTime(mtime);
    const sparseName = sparse === undefined ? undefined : this.last('GNU.sparse.name');
    const name = sparseName ?? this.last('path');
    const link = this.last('linkpath');
    const xattrs = this.xattrs();
    return {
      type,
      name: name?.toString('latin1') ?? this.longName ?? header.name,
      linkName: link?.toString('latin1') ?? this.longLink ?? header.linkName,
      mode: header.mode,
      uid: this.identifier('uid', header.uid),
      gid: this.identifier('gid', header.gid),
      size: type === 'file' ? (sparse?.realSize ?? stored) : 0,
      stored,
      ...(sparse === undefined ? {} : { runs: sparse.runs }),
      mtime: time.seconds,
      mtimeNanoseconds: time.nanoseconds,
      deviceMajor: header.deviceMajor,
      deviceMinor: header.deviceMinor,
      xattrs,
    };
  }

  private last(key: string): Buffer | undefined {
    const record = this.records.findLast((candidate) => candidate.key === key);
    // An empty value takes an earlier one back (POSIX.1-2001, pax, "Extended Header").
    return record === undefined || record.value.length === 0 ? undefined : record.value;
  }

  private identifier(key: string, fallback: number): number {
    const value = this.last(key);
    const id = value === undefined ? fallback : paxNumber(key, value);
    if (id < 0 || id > 0xffffffff) throw corrupt(`tar entry has a ${key} beyond 32 bits`);
    return id;
  }

  private xattrs(): Xattr[] {
    const found = new Map<string, Buffer>();
    for (const { key, value } of this.records) {
      if (key.startsWith('SCHILY.xattr.')) found.set(key.slice('SCHILY.xattr.'.length), Buffer.from(value));
    }
    for (const { key, value } of this.records) {
      if (!key.startsWith('LIBARCHIVE.xattr.')) continue;
      const name = percentDecoded(key.slice('LIBARCHIVE.xattr.'.length));
      if (!found.has(name)) found.set(name, Buffer.from(value.toString('latin1'), 'base64'));
    }
    return [...found].map(([name, value]) => ({ name, value }));
  }
}

function percentDecoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** A byte string made fit for a message: decoded where it is UTF-8, control characters escaped, cut at 200. */
export function printable(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  const safe = Array.from(text.slice(0, 200), (character) => {
    const code = character.charCodeAt(0);
    const plain = code >= 0x20 && character !== '"' && (code < 0x7f || code > 0x9f);
    return plain ? character : `\\x${code.toString(16).padStart(2, '0')}`;
  });
  return text.length > 200 ? `${safe.join('')}...` : safe.join('');
}
