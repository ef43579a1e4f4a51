/** What a tar archive describes, file by file, in lines that compare; and an archive of what is easily lost. */
import { createHash } from 'node:crypto';
import { TarReader, type TarEntry } from '@a3s-box/core';
import { tarEnd, tarHeader, tarPadding, type TarMember } from '../../../core/dist/tar/tar-writer.js';

/** Path, type, mode, owner, size, device, digest or target, attributes, and all names of what has several. */
export function archiveManifest(archive: Buffer): Map<string, string> {
  const lines = new Map<string, string>();
  const firstNames = new Map<string, string>();
  let current: { readonly entry: TarEntry; readonly data: Buffer[] } | undefined;
  const reader = new TarReader({
    entry: (entry) => (current = { entry, data: [] }),
    data: (bytes) => current?.data.push(Buffer.from(bytes)),
    entryEnd: () => {
      if (!current) return;
      const { entry, data } = current;
      const name = nameOf(entry.name);
      const target = nameOf(entry.linkName);
      if (entry.type === 'link') firstNames.set(name, firstNames.get(target) ?? target);
      else lines.set(name, describe(entry, whole(entry, Buffer.concat(data))));
    },
    frame: () => {},
  });
  reader.push(archive);
  reader.end(true);
  for (const first of new Set(firstNames.values())) {
    const names = [first, ...[...firstNames].filter(([, of]) => of === first).map(([name]) => name)].sort();
    const line = `${lines.get(first) ?? 'a link to nothing'} as ${JSON.stringify(names)}`;
    for (const name of names) lines.set(name, line);
  }
  return lines;
}

/** Differences of two manifests, as lines; for messages that can be read. */
export function differences(one: Map<string, string>, other: Map<string, string>): string[] {
  const names = [...new Set([...one.keys(), ...other.keys()])].sort();
  return names
    .filter((name) => one.get(name) !== other.get(name))
    .map((name) => `${JSON.stringify(name)}: ${one.get(name) ?? 'missing'} | ${other.get(name) ?? 'missing'}`);
}

function nameOf(path: string): string {
  return path.replace(/^(\.\/|\.$)/, '').replace(/\/$/, '') || '.';
}

function describe(entry: TarEntry, content: Buffer): string {
  const { type, mode, uid, gid, size, deviceMajor, deviceMinor, linkName, xattrs } = entry;
  const digest = type === 'file' ? createHash('sha256').update(content).digest('hex') : '';
  const attributes = xattrs.map(({ name, value }) => `${name}=${value.toString('hex')}`).sort();
  return [
    type,
    mode.toString(8),
    uid,
    gid,
    size,
    `${deviceMajor}:${deviceMinor}`,
    linkName,
    digest,
    ...attributes,
  ].join(' ');
}

/** With the holes of a sparse file. */
function whole({ runs, size }: TarEntry, stored: Buffer): Buffer {
  if (!runs) return stored;
  const content = Buffer.alloc(size);
  let at = 0;
  for (const { offset, length } of runs) at += stored.copy(content, offset, at, at + length);
  return content;
}

/** An archive of what is easily lost on the way. */
export function nastyArchive(): Buffer {
  const owner = { uid: 1000, gid: 1000, mtime: 1_600_000_000, mtimeNanoseconds: 123_456_789 };
  const pieces: Buffer[] = [];
  const add = (member: Partial<TarMember> & Pick<TarMember, 'name'>, content = Buffer.alloc(0)): void => {
    const size = member.runs ? { size: member.size ?? 0 } : { size: content.length };
    pieces.push(tarHeader({ type: 'file', mode: 0o644, ...owner, ...member, ...size }), content);
    const stored = member.runs ? content.length : content.length;
    pieces.push(tarPadding(stored));
  };
  add({ name: 'nasty', type: 'directory', mode: 0o1777 });
  add({ name: 'nasty/file', mode: 0o600 }, Buffer.from('content\n'));
  add({ name: 'nasty/same', type: 'link', linkName: 'nasty/file' });
  add({ name: 'nasty/deep', type: 'directory', mode: 0o2750 });
  add({ name: 'nasty/deep/same', type: 'link', linkName: 'nasty/file' });
  add({ name: 'nasty/setuid', mode: 0o4755 }, Buffer.from('#!/bin/sh\n'));
  add({ name: 'nasty/setgid', mode: 0o2755 });
  add({ name: 'nasty/unreadable', mode: 0 }, Buffer.from('secret'));
  add({ name: 'nasty/link', type: 'symlink', mode: 0o777, linkName: '../../../../etc/passwd' });
  add({ name: 'nasty/dangling', type: 'symlink', mode: 0o777, linkName: `/${'d/'.repeat(200)}end` });
  add({ name: 'nasty/fifo', type: 'fifo', mode: 0o620 });
  add({ name: 'nasty/device', type: 'character-device', mode: 0o666, deviceMajor: 1, deviceMinor: 3 });
  add({ name: 'nasty/rich', uid: 4_000_000_000, gid: 3_000_000 }, Buffer.from('large ids'));
  add({ name: `nasty/${bytes('zwölf Boxkämpfer 🥊')}` }, Buffer.from('unicode'));
  add({ name: 'nasty/line\nbreak and \ttab' }, Buffer.from('newline'));
  add({ name: 'nasty/not\xff\xfeutf8' }, Buffer.from('bytes'));
  add({ name: 'nasty/-rf' });
  const long = Array.from({ length: 8 }, (_, index) => String(index).repeat(100)).join('/');
  add({ name: `nasty/${long}`, mode: 0o640 }, Buffer.from('long'));
  const xattrs = [
    { name: 'user.plain', value: Buffer.from('value') },
    { name: 'user.lines', value: Buffer.from('a\nb=c\0d') },
    { name: 'security.capability', value: Buffer.from('0100000200040000000000000000000000000000', 'hex') },
    { name: 'trusted.kept', value: Buffer.from([0, 1, 254, 255]) },
  ];
  add({ name: 'nasty/attributes', mode: 0o755, xattrs }, Buffer.from('x'));
  add({ name: 'nasty/described', type: 'directory', mode: 0o700, xattrs: xattrs.slice(0, 2) });
  const runs = [
    { offset: 1024 * 1024, length: 4096 },
    { offset: 30 * 1024 * 1024, length: 8192 },
  ];
  add({ name: 'nasty/sparse', size: 32 * 1024 * 1024, runs }, Buffer.alloc(12_288, 's'));
  pieces.push(tarEnd());
  return Buffer.concat(pieces);
}

function bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
