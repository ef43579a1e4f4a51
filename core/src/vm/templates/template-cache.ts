import type { LoadedTemplate } from './template-files.js';

/** How long a template stays in memory after its last use, milliseconds: reading it again takes a tenth of a second. */
const IDLE_MS = 30_000;

interface Entry {
  readonly loading: Promise<LoadedTemplate>;
  users: number;
  /** Disposed of when nobody uses it any more, and not found any more. */
  dropped: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** Templates in memory, each read once for all who use it, and let go when it was not used for a while. */
export class TemplateCache implements Disposable {
  readonly #entries = new Map<string, Entry>();

  constructor(private readonly load: (key: string) => Promise<LoadedTemplate>) {}

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** The template, for as long as the result is not disposed of. @throws what `load` throws */
  async take(key: string): Promise<LoadedTemplate> {
    const entry = this.#entries.get(key) ?? this.#add(key, this.load(key));
    entry.users++;
    clearTimeout(entry.timer);
    try {
      const { template, sessionKey } = await entry.loading;
      let used = true;
      const end = (): void => {
        if (used) this.#release(key, entry);
        used = false;
      };
      return { template, sessionKey, [Symbol.dispose]: end };
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }

  /** Takes over a template that is in memory already. */
  put(key: string, loaded: LoadedTemplate): void {
    this.drop(key);
    const entry = this.#add(key, Promise.resolve(loaded));
    entry.users++;
    this.#release(key, entry);
  }

  /** Gives up a template; who uses it goes on. */
  drop(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    entry.dropped = true;
    clearTimeout(entry.timer);
    if (entry.users === 0) dispose(entry);
  }

  [Symbol.dispose](): void {
    for (const key of [...this.#entries.keys()]) this.drop(key);
  }

  #add(key: string, loading: Promise<LoadedTemplate>): Entry {
    const entry: Entry = { loading, users: 0, dropped: false, timer: undefined };
    this.#entries.set(key, entry);
    return entry;
  }

  #release(key: string, entry: Entry): void {
    entry.users--;
    if (entry.users > 0) return;
    if (entry.dropped) dispose(entry);
    else entry.timer = setTimeout(() => this.drop(key), IDLE_MS).unref();
  }
}

function dispose({ loading }: Entry): void {
  // One that could not be read has nothing to let go of.
  loading.then(
    (loaded) => loaded[Symbol.dispose](),
    () => undefined,
  );
}
