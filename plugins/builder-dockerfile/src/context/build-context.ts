import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { lstat, open, readdir, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxError } from '@a3s-box/core';
import { isIgnored, type IgnoreRule } from './ignore-file.js';
import { pathPattern, type PathTest } from './path-pattern.js';
import { partsOf, rootedPath } from './rooted-path.js';

/** What a source of COPY means. */
export interface Selected {
  /** As the instruction or a match of its pattern names it, relative. */
  readonly path: string;
  /** Where it lies, without links, relative; empty for all of the context. */
  readonly real: string;
}

export interface ContextEntry {
  /** Relative to what was selected; empty for that itself. */
  readonly path: string;
  /** Relative to the context. */
  readonly real: string;
  readonly stats: Stats;
}

/** A directory whose files a build may have. Nothing outside of it is read, whatever links it holds. */
export class BuildContext {
  private constructor(
    private readonly root: string,
    private readonly rules: readonly IgnoreRule[],
  ) {}

  /** @param directory absolute path @throws NOT_FOUND when it is no directory */
  static async open(directory: string, rules: readonly IgnoreRule[]): Promise<BuildContext> {
    const root = await realpath(directory).catch((cause: unknown) => {
      throw new BoxError('NOT_FOUND', `the build context ${directory} cannot be read`, { cause });
    });
    if (!(await lstat(root)).isDirectory())
      throw new BoxError('NOT_FOUND', `the build context ${directory} is no directory`);
    return new BuildContext(root, rules);
  }

  /**
   * What a source of COPY means, in the order of names.
   * @param source a path, or a pattern whose stars stay within a directory
   * @returns nothing when there is none, or only what is ignored
   * @throws PatternFault
   */
  async select(source: string): Promise<Selected[]> {
    const parts = partsOf(source);
    const paths = parts.some((part) => /[*?[\\]/.test(part)) ? await this.matches(parts) : [parts.join('/')];
    const found = await Promise.all(paths.map(async (path) => ({ path, real: await rootedPath(this.root, path) })));
    return found.filter((it): it is Selected => it.real !== undefined && this.mayHave(it.real));
  }

  /**
   * Something that was selected, with all that is in it, each directory before its content, in the order of names.
   * @param exclude tests of further paths to leave out, relative to what was selected
   */
  async *walk({ real }: Selected, exclude: readonly IgnoreRule[] = []): AsyncGenerator<ContextEntry> {
    const stack = [''];
    // Directories that are ignored, and may have something that is not: told only when they do.
    const held: ContextEntry[] = [];
    for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
      const inContext = [real, path].filter((it) => it !== '').join('/');
      const entry = { path, real: inContext, stats: await lstat(join(this.root, inContext)) };
      while (held.length > 0 && !isBelow(path, held.at(-1)?.path ?? '')) held.pop();
      const left = this.isLeftOut(inContext) || (path !== '' && isIgnored(exclude, path));
      const directory = entry.stats.isDirectory();
      if (directory && (!left || this.rules.some(({ negated }) => negated))) {
        const names = await readdir(join(this.root, inContext));
        for (const name of names.sort().reverse()) stack.push(path === '' ? name : `${path}/${name}`);
      }
      if (!left) {
        yield* held.splice(0);
        yield entry;
      } else if (directory) held.push(entry);
    }
  }

  /** Opens a regular file. @throws CONFLICT for one that was replaced meanwhile by something else */
  async file({ real, stats }: ContextEntry): Promise<FileHandle> {
    const file = await open(join(this.root, real), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await file.stat();
    if (found.isFile() && found.dev === stats.dev && found.ino === stats.ino) return file;
    await file.close();
    throw new BoxError('CONFLICT', `file ${real} of the build context was replaced while it was read`);
  }

  /** Where a link leads, as it says. */
  async link({ real }: ContextEntry): Promise<string> {
    return readlink(join(this.root, real));
  }

  private async matches(parts: readonly string[]): Promise<string[]> {
    let paths = [''];
    for (const part of parts) {
      const test = pathPattern(part, { trees: false });
      const found = await Promise.all(paths.map((path) => this.namesIn(path, test)));
      paths = found.flat();
    }
    return paths;
  }

  private async namesIn(path: string, test: PathTest): Promise<string[]> {
    const real = await rootedPath(this.root, path);
    if (real === undefined) return [];
    const names = await readdir(join(this.root, real)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR') return [];
      throw error;
    });
    return names
      .filter(test)
      .sort()
      .map((name) => (path === '' ? name : `${path}/${name}`));
  }

  private isLeftOut(real: string): boolean {
    return real !== '' && isIgnored(this.rules, real);
  }

  /** What is ignored can still have something that is not. */
  private mayHave(real: string): boolean {
    return !this.isLeftOut(real) || this.rules.some(({ negated }) => negated);
  }
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path.startsWith(`${directory}/`);
}
