import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, injectable } from '../../kernel/container.js';
import type { ProcessIdentity, Template } from '../../ports/hypervisor.js';
import { StateDatabaseToken } from '../../service-tokens.js';
import { Ledger } from '../../state/ledger.js';
import { Reaper } from '../../state/reaper.js';
import type { StateDatabase } from '../../state/state-database.js';
import { HomeLayout } from '../../store/home-layout.js';
import {
  loadTemplate,
  readManifest,
  saveTemplate,
  type LoadedTemplate,
  type TemplateIdentity,
} from './template-files.js';
import { isTemplateKey } from './template-key.js';
import type { TemplateManifest } from './template-manifest.js';

/** A template on the disk. */
export interface StoredTemplate {
  readonly key: string;
  /** Absent when it is damaged; the next box of its shape has it made anew. */
  readonly manifest?: TemplateManifest;
  /** What it takes on the disk, bytes. */
  readonly bytes: number;
  readonly usedMs: number;
}

/** What is there on this host while a template is being made. All of it is in the ledger. */
export interface Workshop {
  /** For the VMM's sockets; there and empty. */
  readonly run: string;
  /** To be called before the VMM does anything. */
  readonly noteVmm: (process: ProcessIdentity) => void;
}

/** Templates below the home: whole ones in directories named by their keys. */
@injectable()
export class TemplateStore {
  constructor(
    private readonly home: HomeLayout,
    @inject(StateDatabaseToken) private readonly database: StateDatabase,
    private readonly ledger: Ledger,
    private readonly reaper: Reaper,
  ) {}

  /**
   * Makes a template by `work` and keeps it, in place of one that was there. Failed, or cut off by this process's death
   * and found by the next one's reaper: nothing is left.
   */
  async make(
    identity: TemplateIdentity,
    work: (workshop: Workshop) => Promise<Template & Disposable>,
  ): Promise<Template & Disposable> {
    const { key } = identity;
    const owner = `template:${key}`;
    const fresh = this.home.templateInWork(key);
    const run = this.home.templateRun(key);
    this.database.transaction(() => {
      for (const path of [fresh, run]) this.ledger.add(owner, { kind: 'directory', path });
    });
    await using undo = new AsyncDisposableStack();
    undo.defer(async () => void (await this.reaper.reap(owner)));
    for (const path of [fresh, run]) await mkdir(path, { recursive: true, mode: 0o700 });
    const noteVmm = (process: ProcessIdentity): void =>
      this.database.transaction(() => {
        this.ledger.remove(owner, { kind: 'vmm' });
        this.ledger.add(owner, { kind: 'vmm', process });
      });
    using made = new DisposableStack();
    const template = made.use(await work({ run, noteVmm }));
    await saveTemplate(fresh, template, identity);
    await this.remove(key);
    await rename(fresh, this.home.template(key));
    made.move();
    return template;
  }

  /** @throws TEMPLATE_UNUSABLE when it is not whole */
  async load(key: string): Promise<LoadedTemplate> {
    const loaded = await loadTemplate(this.home.template(key), key);
    const now = new Date();
    // When it was used last; what is pruned first follows from it.
    await utimes(this.home.template(key), now, now);
    return loaded;
  }

  async has(key: string): Promise<boolean> {
    return (await stat(this.home.template(key)).catch(() => undefined)) !== undefined;
  }

  /** Idempotent. */
  async remove(key: string): Promise<void> {
    await rm(this.home.template(key), { recursive: true, force: true });
  }

  /** Used last first. */
  async list(): Promise<StoredTemplate[]> {
    const names = await readdir(this.home.templates).catch(noneYet);
    const found = await Promise.all(names.filter(isTemplateKey).map((key) => this.#describe(key)));
    return found.sort((a, b) => b.usedMs - a.usedMs);
  }

  async #describe(key: string): Promise<StoredTemplate> {
    const directory = this.home.template(key);
    const [{ mtimeMs }, names] = await Promise.all([stat(directory), readdir(directory)]);
    const files = await Promise.all(names.map((name) => stat(join(directory, name))));
    const bytes = files.reduce((sum, { blocks }) => sum + blocks * 512, 0);
    const manifest = await readManifest(directory, key).catch(() => undefined);
    return { key, bytes, usedMs: mtimeMs, ...(manifest && { manifest }) };
  }
}

function noneYet(error: unknown): string[] {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
  throw error;
}
