import { closeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { CLIENT_VERSION } from '../../client/version.js';
import { asBoxError } from '../../errors/as-box-error.js';
import { BoxError } from '../../errors/box-error.js';
import { inject, injectable } from '../../kernel/container.js';
import type { Template } from '../../ports/hypervisor.js';
import type { Logger } from '../../ports/logger.js';
import { LoggerToken } from '../../service-tokens.js';
import { Activity } from '../../supervisor/activity.js';
import { TemplateCache } from './template-cache.js';
import { templateKey, type TemplateSubject } from './template-key.js';
import { drawSessionKey, prepareGuest } from './template-preparation.js';
import { TemplateStore, type StoredTemplate } from './template-store.js';
import type { LoadedTemplate } from './template-files.js';

/** A template in use; disposing of it ends the use. */
export interface TemplateLease extends Disposable {
  readonly key: string;
  readonly template: Template;
  readonly sessionKey: Buffer;
}

/** Most that all templates together may take on the disk, bytes. */
const SIZE_LIMIT = 2 * 1024 ** 3;
/** How often a template is tried again that could not be made. */
const ATTEMPTS = 2;
/** Behind everything that somebody waits for. */
const BACKGROUND_PRIORITY = 19;
const MAKING_LIMIT_MS = 120_000;

/** The templates of a home: found, made once, counted while in use, given up when damaged. */
@injectable()
export class TemplateLibrary implements AsyncDisposable {
  readonly #cache: TemplateCache;
  readonly #making = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, number>();
  readonly #leaving = new AbortController();
  /** One is made at a time. */
  #turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: TemplateStore,
    private readonly activity: Activity,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {
    this.#cache = new TemplateCache((key) => this.store.load(key));
  }

  /** The template for a subject, if there is a whole one. One that is not whole is removed, with a warning. */
  async take(subject: TemplateSubject): Promise<TemplateLease | undefined> {
    const key = templateKey(subject);
    if (!this.#cache.has(key) && !(await this.store.has(key))) return undefined;
    try {
      return { key, ...(await this.#cache.take(key)) };
    } catch (error) {
      await this.reject(key, error);
      return undefined;
    }
  }

  /** Removes a template that turned out to be of no use. */
  async reject(key: string, error: unknown): Promise<void> {
    this.logger.warn({ template: key, error }, 'a template cannot be used and is removed');
    await this.remove(key);
  }

  /**
   * Makes the template for a subject, where there is none, in the background: at low priority, one at a time, and as long
   * as this process stays. A failure is logged.
   */
  wish(subject: TemplateSubject): void {
    const key = templateKey(subject);
    if (this.#making.has(key) || (this.#failures.get(key) ?? 0) >= ATTEMPTS) return;
    void this.create(subject, BACKGROUND_PRIORITY).catch((error: unknown) => {
      if (!this.#leaving.signal.aborted) this.logger.warn({ template: key, error }, 'a template could not be made');
    });
  }

  /**
   * Makes the template for a subject; whoever asks for the same one meanwhile waits for it too. Where there is one
   * already, nothing is done.
   * @returns its key @throws what keeps the VM from starting, TEMPLATE_UNUSABLE, TIMEOUT, DISK_FULL
   */
  async create(subject: TemplateSubject, priority = 0): Promise<string> {
    const key = templateKey(subject);
    let making = this.#making.get(key);
    if (making === undefined) {
      making = this.#turn.then(() => this.#makeMissing(key, subject, priority));
      this.#turn = making.catch(() => undefined);
      this.#making.set(key, making);
      const done = (): void => void this.#making.delete(key);
      making.then(done, done);
    }
    await making;
    return key;
  }

  list(): Promise<StoredTemplate[]> {
    return this.store.list();
  }

  /** Finds a template by its key or a unique prefix of it. @returns its key @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
  async find(reference: string): Promise<string> {
    const matches = (await this.store.list()).filter(({ key }) => key.startsWith(reference));
    const [first] = matches;
    if (first === undefined || reference === '') throw new BoxError('NOT_FOUND', `there is no template "${reference}"`);
    if (matches.length === 1) return first.key;
    throw new BoxError('AMBIGUOUS_REFERENCE', `"${reference}" stands for ${matches.length} templates`, {
      hint: 'give more digits of the key',
    });
  }

  /** Clones that run go on. Idempotent. */
  async remove(key: string): Promise<void> {
    this.#cache.drop(key);
    await this.store.remove(key);
  }

  /** Removes what was used least recently, until the rest takes at most `limit` bytes. @returns what was removed */
  async prune(limit = SIZE_LIMIT): Promise<StoredTemplate[]> {
    let kept = 0;
    const removed: StoredTemplate[] = [];
    for (const template of await this.store.list()) {
      kept += template.bytes;
      if (kept <= limit) continue;
      kept -= template.bytes;
      removed.push(template);
      await this.remove(template.key);
    }
    return removed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leaving.abort();
    await Promise.allSettled(this.#making.values());
    this.#cache[Symbol.dispose]();
  }

  async #makeMissing(key: string, subject: TemplateSubject, priority: number): Promise<void> {
    using _use = this.activity.begin();
    if (await this.store.has(key)) return;
    try {
      await this.#make(key, subject, priority);
    } catch (error) {
      this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
      throw asBoxError(error);
    }
    await this.prune();
  }

  async #make(key: string, { hypervisor, boot, shape }: TemplateSubject, priority: number): Promise<void> {
    const started = performance.now();
    const limit = AbortSignal.timeout(MAKING_LIMIT_MS);
    const signal = AbortSignal.any([this.#leaving.signal, limit]);
    const sessionKey = drawSessionKey();
    const identity = {
      key,
      sessionKey: sessionKey.toString('base64'),
      createdMs: Date.now(),
      version: CLIENT_VERSION,
    };
    try {
      const template = await this.store.make(identity, async ({ run, noteVmm }) => {
        const made = await hypervisor.makeTemplate(
          {
            id: `template-${key.slice(0, 12)}`,
            directory: run,
            boot,
            shape,
            prepare: prepareGuest(sessionKey, signal),
            onLaunch: (process) => {
              noteVmm(process);
              if (priority !== 0) setPriority(process.pid, priority);
            },
          },
          { signal },
        );
        return closing(made);
      });
      this.#cache.put(key, { ...loadedFrom(template, sessionKey) });
    } catch (error) {
      if (limit.aborted) {
        const what = `template ${key} was not made within ${MAKING_LIMIT_MS / 1000} s`;
        throw new BoxError('TIMEOUT', what, { cause: error });
      }
      throw error;
    }
    this.logger.info({ template: key, shape, ms: Math.round(performance.now() - started) }, 'made a template');
  }
}

function closing(template: Template): Template & Disposable {
  const { memory, state } = template;
  return { ...template, [Symbol.dispose]: () => [memory, state].forEach((descriptor) => closeSync(descriptor)) };
}

function loadedFrom(template: Template & Disposable, sessionKey: Buffer): LoadedTemplate {
  const { record, memory, state } = template;
  return { template: { record, memory, state }, sessionKey, [Symbol.dispose]: () => template[Symbol.dispose]() };
}
