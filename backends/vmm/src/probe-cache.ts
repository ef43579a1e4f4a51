import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Answers of slow questions, each with the key of everything that it depends on, in one small file of a directory. A file
 * that is missing or unreadable is an empty cache. Two processes that write at the same time cost one of the answers.
 */
export class ProbeCache {
  readonly #path: string;

  /** @param directory absolute path; must exist */
  constructor(directory: string) {
    this.#path = join(directory, 'probe-cache.json');
  }

  /** @returns the answer that was stored for this question under an equal key */
  get(question: string, key: string): unknown {
    const entry = this.#read()[question];
    return entry?.key === key ? entry.answer : undefined;
  }

  /** @param answer plain JSON */
  async set(question: string, key: string, answer: unknown): Promise<void> {
    const temporary = `${this.#path}.${randomUUID()}`;
    await writeFile(temporary, JSON.stringify({ ...this.#read(), [question]: { key, answer } }), { mode: 0o600 });
    await rename(temporary, this.#path);
  }

  #read(): Record<string, { readonly key: string; readonly answer: unknown }> {
    try {
      return JSON.parse(readFileSync(this.#path, 'utf8')) as Record<string, { key: string; answer: unknown }>;
    } catch {
      return {};
    }
  }
}
