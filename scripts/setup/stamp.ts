/** Stamps tell whether a step of the set-up was done with the inputs that are there now. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Directories that hold what is made, never inputs. */
const MADE = new Set(['node_modules', 'dist', 'build', 'prebuilds', 'target', 'test', '.git']);

/** SHA-256 over names and contents of the given files and directories (relative to `root`); what is absent counts too. */
export function digestInputs(root: string, inputs: readonly string[], extra = ''): string {
  const hash = createHash('sha256').update(extra);
  for (const input of [...inputs].sort()) {
    for (const file of filesBelow(root, input)) {
      const content = readFileSync(join(root, file));
      hash.update(`\0${file}\0${content.length}\0`).update(content);
    }
  }
  return hash.digest('hex');
}

function* filesBelow(root: string, path: string): Generator<string> {
  let entries;
  try {
    entries = readdirSync(join(root, path), { withFileTypes: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOTDIR') yield path;
    else if (code !== 'ENOENT') throw error;
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (MADE.has(entry.name)) continue;
    if (entry.isDirectory()) yield* filesBelow(root, `${path}/${entry.name}`);
    else if (entry.isFile()) yield `${path}/${entry.name}`;
  }
}

export class StampStore {
  readonly #directory: string;
  readonly #root: string;

  constructor(root: string, directory = join(root, '.cache/setup')) {
    this.#root = root;
    this.#directory = directory;
  }

  /** Whether the step was done with this digest and what it made is still there. */
  isCurrent(step: string, digest: string): boolean {
    try {
      const stamp = JSON.parse(readFileSync(this.#path(step), 'utf8')) as { digest: string; outputs: string[] };
      return stamp.digest === digest && stamp.outputs.every((output) => existsSync(join(this.#root, output)));
    } catch {
      return false;
    }
  }

  clear(step: string): void {
    rmSync(this.#path(step), { force: true });
  }

  /** Records the step as done. `outputs` are paths relative to the root; those that exist must exist next time too. */
  set(step: string, digest: string, outputs: readonly string[]): void {
    mkdirSync(this.#directory, { recursive: true });
    const present = outputs.filter((output) => existsSync(join(this.#root, output)));
    const partial = `${this.#path(step)}.${process.pid}`;
    writeFileSync(partial, JSON.stringify({ digest, outputs: present }));
    renameSync(partial, this.#path(step));
  }

  #path(step: string): string {
    return join(this.#directory, `${step}.stamp`);
  }
}
