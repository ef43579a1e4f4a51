/** How long work items took last time, so that the longest can go first. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export class ItemTimes {
  readonly #file: string;
  readonly #times: Record<string, number>;

  constructor(root: string) {
    this.#file = join(root, '.cache/test-times.json');
    this.#times = read(this.#file);
  }

  /** Milliseconds by label. */
  get all(): Readonly<Record<string, number>> {
    return this.#times;
  }

  set(label: string, ms: number): void {
    this.#times[label] = ms;
  }

  save(): void {
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(this.#file, JSON.stringify(this.#times));
  }
}

/** What cannot be read is only an order that is not known. */
function read(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  } catch {
    return {};
  }
}
