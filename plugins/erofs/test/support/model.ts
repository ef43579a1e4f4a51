/** What layers mean, as slowly and plainly as possible: paths to records. Independent of the package's own trees. */
import type { Member } from './tar-builder.ts';
import type { Node } from './erofs-reader.ts';

interface File {
  readonly kind: 'file';
  readonly identity: object;
  /** Path of the file of a lower layer that it is a link to. */
  readonly below?: string;
  readonly type: string;
  readonly content: string;
  readonly attributes: string;
}

interface Directory {
  readonly kind: 'directory';
  attributes: string;
}

type State = Map<string, File | Directory>;

const IMPLIED = '755 0 0 0.0 {}';
const XATTR = 'SCHILY.xattr.';

export class Refused extends Error {}

/** The state after all layers, as lines that compare. @throws Refused for what an ingester must refuse */
export function modelOf(layers: readonly (readonly Member[])[]): string[] {
  const state: State = new Map([['', { kind: 'directory', attributes: IMPLIED }]]);
  for (const layer of layers) applyLayer(state, layer);
  return lines(state);
}

function applyLayer(state: State, layer: readonly Member[]): void {
  const below: State = new Map(state);
  const own: Own = { paths: new Set(), named: new Set(), hidden: new Set() };
  // Whiteouts first: they speak of what lies below.
  for (const { name } of layer) {
    const { parent, base } = split(name);
    if (base === '.wh..wh..opq') removeBelow(state, parent);
    else if (base.startsWith('.wh.')) remove(state, join(parent, base.slice(4)));
  }
  for (const member of layer) {
    const { parent, base } = split(member.name);
    ensureDirectory(state, own, base === '' ? '' : parent);
    if (base.startsWith('.wh.')) {
      const hidden = join(parent, base.slice(4));
      own.hidden.add(hidden);
      if (own.paths.has(hidden)) own.named.add(hidden);
      continue;
    }
    place(state, own, member, join(parent, base));
  }
  for (const [path, entry] of state) {
    if (entry.kind !== 'file' || entry.below === undefined) continue;
    const target = below.get(entry.below);
    if (target === undefined || target.kind === 'directory') throw new Refused(`link to ${entry.below}`);
    state.set(path, target);
  }
}

/** What the layer itself has brought so far: all paths, and those that an entry names. */
interface Own {
  readonly paths: Set<string>;
  readonly named: Set<string>;
  /** What whiteouts before this point hide: a directory there is new. */
  readonly hidden: Set<string>;
}

function forget({ paths, named }: Own, path: string): void {
  for (const set of [paths, named]) {
    for (const known of [...set]) if (known === path || known.startsWith(`${path}/`)) set.delete(known);
  }
}

function place(state: State, own: Own, member: Member, path: string): void {
  const before = state.get(path);
  const attributes = attributesOf(member);
  if (member.type === '5') {
    if (before?.kind === 'directory') before.attributes = attributes;
    else {
      remove(state, path);
      state.set(path, { kind: 'directory', attributes });
    }
    own.paths.add(path);
    own.named.add(path);
    return;
  }
  let file: File;
  if (member.type === '1') {
    const target = (member.link ?? '').replace(/^\.\//, '');
    const found = own.named.has(target) ? state.get(target) : undefined;
    if (found?.kind === 'directory') throw new Refused(`link to ${target}`);
    file = found ?? { kind: 'file', identity: {}, below: target, type: '1', content: '', attributes: '' };
  } else {
    const device = member.type === '3' || member.type === '4';
    const content = device
      ? `${member.major}:${member.minor}`
      : member.type === '2'
        ? (member.link ?? '')
        : ((member.content ?? member.data)?.toString('latin1') ?? '');
    file = { kind: 'file', identity: {}, type: member.type ?? '0', content, attributes };
  }
  remove(state, path);
  forget(own, path);
  state.set(path, file);
  own.paths.add(path);
  own.named.add(path);
}

function attributesOf({ mode = 0o644, uid = 0, gid = 0, mtime = 0, nanoseconds = 0, pax = [] }: Member): string {
  const xattrs = pax
    .filter(([key]) => key.startsWith(XATTR))
    .map(([key, value]) => [key.slice(XATTR.length), Buffer.from(value as string, 'latin1').toString('hex')] as const);
  return `${mode.toString(8)} ${uid} ${gid} ${mtime}.${nanoseconds} ${sorted(Object.fromEntries(xattrs))}`;
}

function sorted(xattrs: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(xattrs).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Linux's encoding of device numbers, undone. */
function deviceOf(rdev: number): string {
  return `${(rdev >>> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`;
}

function ensureDirectory(state: State, { paths, named, hidden }: Own, path: string): void {
  const parts = path === '' ? [] : path.split('/');
  for (let i = 1; i <= parts.length; i++) {
    const at = parts.slice(0, i).join('/');
    const there = state.get(at);
    if (there?.kind === 'directory') paths.add(at);
    else {
      if (there !== undefined && paths.has(at)) throw new Refused(`${at} is no directory`);
      remove(state, at);
      state.set(at, { kind: 'directory', attributes: IMPLIED });
      paths.add(at);
      if (hidden.has(at)) named.add(at);
    }
  }
}

function remove(state: State, path: string): void {
  state.delete(path);
  removeBelow(state, path);
}

function removeBelow(state: State, path: string): void {
  for (const key of [...state.keys()]) if (key !== '' && (path === '' || key.startsWith(`${path}/`))) state.delete(key);
}

function split(name: string): { parent: string; base: string } {
  const clean = name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  const slash = clean.lastIndexOf('/');
  return { parent: slash === -1 ? '' : clean.slice(0, slash), base: clean.slice(slash + 1) };
}

function join(parent: string, base: string): string {
  return parent === '' ? base : `${parent}/${base}`;
}

function lines(state: State): string[] {
  const links = new Map<object, string[]>();
  const paths = [...state.keys()].sort();
  for (const path of paths) {
    const entry = state.get(path);
    if (entry?.kind !== 'file') continue;
    links.set(entry.identity, [...(links.get(entry.identity) ?? []), path]);
  }
  return paths.map((path) => {
    const entry = state.get(path) as File | Directory;
    if (entry.kind === 'directory') return `${path}|5|${entry.attributes}`;
    const group = (links.get(entry.identity) as string[]).join(',');
    return `${path}|${entry.type}|${entry.attributes}|${entry.content}|${group}`;
  });
}

/** The same lines of a tree that was read. */
export function linesOf(root: Node, walk: (node: Node) => Iterable<[string, Node]>): string[] {
  const all = [...walk(root)].sort(([a], [b]) => (a < b ? -1 : 1));
  const links = new Map<number, string[]>();
  for (const [path, { nid }] of all) links.set(nid, [...(links.get(nid) ?? []), path]);
  return all.map(([path, node]) => {
    const times = `${node.mtime}.${node.nanoseconds}`;
    const attributes = `${(node.mode & 0o7777).toString(8)} ${node.uid} ${node.gid} ${times} ${sorted(node.xattrs)}`;
    const type = { 4: '5', 8: '0', 10: '2', 1: '6', 2: '3', 6: '4' }[node.mode >> 12] ?? '?';
    if (type === '5') return `${path}|5|${attributes}`;
    const content = type === '3' || type === '4' ? deviceOf(node.rdev) : node.content.toString('latin1');
    return `${path}|${type}|${attributes}|${content}|${(links.get(node.nid) as string[]).join(',')}`;
  });
}
