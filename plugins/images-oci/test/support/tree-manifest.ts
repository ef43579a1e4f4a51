/** Describes a mounted tree, file by file, in lines that compare. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { run } from './programs.ts';

export interface TreeManifestOptions {
  /** Paths whose time is not compared: directories that nothing in the image describes get the time of unpacking. */
  readonly ignoreTime?: (path: string) => boolean;
}

/** Path, type and mode, owner, size, device, time in nanoseconds, digest or target, attributes, hard links. */
export function treeManifest(root: string, options: TreeManifestOptions = {}): string[] {
  const base = Buffer.from(root);
  const attributes = xattrsBelow(root);
  const links = new Map<bigint, string[]>();
  const lines = new Map<string, () => string>();
  const visit = (path: Buffer): void => {
    const full = path.length === 0 ? base : Buffer.concat([base, Buffer.from('/'), path]);
    const name = path.toString('latin1');
    const stat = lstatSync(full, { bigint: true });
    const kind = Number(stat.mode) >> 12;
    if (kind !== 4) links.set(stat.ino, [...(links.get(stat.ino) ?? []), name]);
    const content =
      kind === 8
        ? createHash('sha256').update(readFileSync(full)).digest('hex')
        : kind === 10
          ? readlinkSync(full, 'buffer').toString('latin1')
          : '';
    const size = kind === 8 || kind === 10 ? stat.size : 0n;
    const device = kind === 2 || kind === 6 ? stat.rdev : 0n;
    const time = options.ignoreTime?.(name) === true ? '-' : String(stat.mtimeNs);
    lines.set(name, () =>
      [
        name,
        stat.mode.toString(8),
        stat.uid,
        stat.gid,
        size,
        device,
        time,
        content,
        attributes.get(name) ?? '',
        (links.get(stat.ino) ?? []).join(','),
      ].join('|'),
    );
    if (kind !== 4) return;
    for (const child of readdirSync(full, { encoding: 'buffer' }).sort(Buffer.compare)) {
      visit(path.length === 0 ? child : Buffer.concat([path, Buffer.from('/'), child]));
    }
  };
  visit(Buffer.alloc(0));
  return [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line());
}

/** Extended attributes by path, those of the file system's own business left out. */
function xattrsBelow(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const dump = run('getfattr', ['-R', '-h', '-P', '-d', '-m', '-', '-e', 'hex', '--absolute-names', root]);
  for (const block of dump.split('\n\n')) {
    const [head = '', ...values] = block.split('\n').filter((line) => line !== '');
    const path = unescaped(head.replace(/^# file: /, ''));
    const kept = values.filter(
      (value) => !value.startsWith('trusted.overlay.') && !value.startsWith('user.rootlesscontainers'),
    );
    found.set(path === root ? '' : path.slice(root.length + 1), kept.sort().join(' '));
  }
  return found;
}

/** getfattr writes bytes that are not plain as octal. */
function unescaped(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return bytes.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
