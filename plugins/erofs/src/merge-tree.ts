import { corrupt } from './fault.js';
import { IMPLIED_XATTR, Inode, LINK_XATTR, OPAQUE_XATTR, S_IFDIR, S_IFLNK, type FileData } from './inode.js';
import { printable } from '@a3s-box/core';

/** As many as Linux follows. */
const MAX_LINKS = 40;

/** An entry on the way from the root to another, the root's own name being empty. */
export interface Step {
  readonly name: string;
  readonly inode: Inode;
}

/**
 * Lays layers over each other, lowest first, as a union would show them (OCI image-spec, layer.md, "Applying
 * Changesets"). The trees that are applied are taken over. Of whiteouts, opaque marks and links to lower layers,
 * nothing stays.
 *
 * A directory that a layer only implies is followed through a symbolic link below it, within the root, as containerd
 * and umoci do; one that the layer names takes the link's place.
 */
export class MergedTree {
  readonly root = impliedDirectory();

  /** @throws IMAGE_CORRUPT when the layer has a hard link to what no layer below has */
  apply(layer: Inode): void {
    this.resolveLinks(layer);
    this.applyDirectory(layer, this.root);
  }

  /**
   * Finds what a path means, links followed to the end, as a process has it whose root this is.
   * @returns the entries from the root to it; undefined when there is nothing
   */
  find(path: string): readonly Step[] | undefined {
    return this.walk([this.top], path.split('/'), 'any');
  }

  /** All inodes that hold data, each once. */
  *files(): Generator<Inode & { data: FileData }> {
    const seen = new Set<Inode>();
    const directories = [this.root];
    for (const directory of directories) {
      for (const inode of directory.entries?.values() ?? []) {
        if (inode.isDirectory) directories.push(inode);
        else if (inode.data !== undefined && !seen.has(inode)) {
          seen.add(inode);
          yield inode as Inode & { data: FileData };
        }
      }
    }
  }

  private applyDirectory(upper: Inode, lower: Inode): void {
    const entries = lower.entries as Map<string, Inode>;
    if (upper.isOpaque) entries.clear();
    if (!upper.implied) describe(lower, upper);
    for (const [name, child] of upper.entries as Map<string, Inode>) {
      if (child.isWhiteout) entries.delete(name);
      else if (child.isDirectory) this.applyDirectory(child, this.directoryFor(name, child, lower));
      else entries.set(name, child);
    }
  }

  /** The directory that a directory of a layer is applied to. */
  private directoryFor(name: string, upper: Inode, parent: Inode): Inode {
    const entries = parent.entries as Map<string, Inode>;
    const below = entries.get(name);
    if (below?.isDirectory === true) return below;
    if (below?.type === S_IFLNK && upper.implied) {
      const followed = this.follow(this.pathOf(parent), below.target);
      if (followed !== undefined) return followed;
    }
    const fresh = impliedDirectory();
    entries.set(name, fresh);
    return fresh;
  }

  /** Finds the hard links to lower layers in a layer, and puts what they mean in their place. */
  private resolveLinks(layer: Inode): void {
    const directories = [layer];
    for (const directory of directories) {
      for (const [name, child] of directory.entries as Map<string, Inode>) {
        if (child.isDirectory) directories.push(child);
        else if (child.xattr(LINK_XATTR) !== undefined) directory.entries?.set(name, this.linkTarget(child.target));
      }
    }
  }

  private linkTarget(path: string): Inode {
    const parts = path.split('/');
    const name = parts.pop() as string;
    const target = this.walk([this.top], parts)?.at(-1)?.inode.entries?.get(name);
    if (target === undefined)
      throw corrupt(`layer has a hard link to "${printable(path)}", which no layer below it has`);
    if (target.isDirectory) throw corrupt(`layer has a hard link to "${printable(path)}", which is a directory`);
    return target;
  }

  private get top(): Step {
    return { name: '', inode: this.root };
  }

  private follow(from: readonly Step[], target: string): Inode | undefined {
    const start = target.startsWith('/') ? [this.top] : from;
    return this.walk(start, target.split('/'))?.at(-1)?.inode;
  }

  /**
   * Walks down a path, through symbolic links, never above the root.
   * @param from the directories from the root to where the walk starts
   * @param last whether anything may be at its end
   * @returns the entries from the root to the end; undefined when there is no such thing
   */
  private walk(from: readonly Step[], parts: readonly string[], last: 'directory' | 'any' = 'directory') {
    const trail = [...from];
    const left = parts.toReversed();
    for (let links = 0, part = left.pop(); part !== undefined; part = left.pop()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const next = trail.at(-1)?.inode.entries?.get(part);
      if (next === undefined) return undefined;
      if (next.isDirectory) {
        trail.push({ name: part, inode: next });
      } else if (next.type === S_IFLNK && ++links <= MAX_LINKS) {
        if (next.target.startsWith('/')) trail.length = 1;
        left.push(...next.target.split('/').reverse());
      } else if (last === 'any' && next.type !== S_IFLNK && left.length === 0) {
        trail.push({ name: part, inode: next });
      } else {
        return undefined;
      }
    }
    return trail;
  }

  /** The directories from the root down to one. Used for links in unusual places only, so it may search. */
  private pathOf(wanted: Inode): Step[] {
    const above = new Map<Inode, { readonly parent: Inode; readonly name: string }>();
    const directories = [this.root];
    for (const directory of directories) {
      if (directory === wanted) break;
      for (const [name, child] of directory.entries ?? []) {
        if (!child.isDirectory) continue;
        above.set(child, { parent: directory, name });
        directories.push(child);
      }
    }
    const trail: Step[] = [];
    let inode = wanted;
    for (let at = above.get(inode); at !== undefined; at = above.get(inode)) {
      trail.unshift({ name: at.name, inode });
      inode = at.parent;
    }
    return [{ name: '', inode }, ...trail];
  }
}

function impliedDirectory(): Inode {
  return new Inode(S_IFDIR | 0o755);
}

function describe(target: Inode, source: Inode): void {
  target.mode = source.mode;
  target.uid = source.uid;
  target.gid = source.gid;
  target.mtime = source.mtime;
  target.mtimeNanoseconds = source.mtimeNanoseconds;
  const xattrs = source.xattrs?.filter(({ name }) => name !== OPAQUE_XATTR && name !== IMPLIED_XATTR);
  target.xattrs = xattrs === undefined || xattrs.length === 0 ? undefined : xattrs;
}
