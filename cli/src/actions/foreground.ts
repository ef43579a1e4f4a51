import { once } from 'node:events';
import { BoxError } from '@a3s-box/core';
import type { Attachment, BoxClient, ExitStatus, ProcessReference } from '@a3s-box/core/client';
import { EndedBySignal } from '../ended-by-signal.js';
import { DEFAULT_DETACH_KEYS } from '../grammar/detach-keys.js';
import type { Timeline } from '../timeline.js';
import { DetachKeys } from './detach-keys.js';
import { onResize, rawMode, terminalSize } from './terminal.js';

/** Passed on to the workload while it runs; before that they end this command. */
const RELAYED = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;
const ENDING: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'];
/** So many SIGINT and SIGTERM in all leave a workload that does not mind them. */
const PATIENCE = 3;

interface StreamFlags {
  readonly interactive: boolean;
  readonly tty: boolean;
  /** What a terminal sends for the keys that leave the process; absent: Docker's. */
  readonly 'detach-keys'?: Buffer | undefined;
  /** Whether signals are passed on. Absent: yes. */
  readonly 'sig-proxy'?: boolean;
}

interface ForegroundProcess {
  readonly client: BoxClient;
  readonly process: ProcessReference;
  readonly timeline: Timeline;
}

/** Refuses a terminal that the caller has not. @throws NotATerminal */
export function requireTerminal({ interactive, tty }: StreamFlags): void {
  if (interactive && tty && !process.stdin.isTTY) throw new NotATerminal();
}

/** Docker's, in words and exit status. */
class NotATerminal extends BoxError {
  constructor() {
    super('INVALID_ARGUMENT', 'the input device is not a TTY', { hint: 'leave -t out to pass on data' });
  }

  override get exitStatus(): number {
    return 1;
  }
}

/** This process's streams, terminal and signals, lent to a process in a box. */
export class Foreground implements Disposable {
  readonly #flags: StreamFlags;
  readonly #controller = new AbortController();
  readonly #disposables = new DisposableStack();
  #relay: ((name: NodeJS.Signals) => void) | undefined;
  #endings = 0;

  constructor(flags: StreamFlags) {
    this.#flags = flags;
    for (const name of RELAYED) {
      const listener = () => this.#signalled(name);
      process.on(name, listener);
      this.#disposables.defer(() => process.removeListener(name, listener));
    }
  }

  /** Aborted when this command is to end whatever the workload does. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Does what may be aborted. @throws EndedBySignal when it was */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.signal.aborted ? this.signal.reason : error;
    }
  }

  /**
   * Runs until the process has ended and all of its output is written. From the call on it gets the signals.
   * @param joined its streams, which become the foreground's
   * @returns how it ended; undefined when the user left it
   */
  async run(
    { client, process: target, timeline }: ForegroundProcess,
    joined: Attachment,
  ): Promise<ExitStatus | undefined> {
    using attachment = joined;
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => {});
    if (this.#flags['sig-proxy'] ?? true) {
      this.#relay = (name) => {
        client.signal(target, name).catch(ignoreEnded).catch(reject);
      };
    }
    using _terminal = this.#flags.tty ? this.#lendTerminal(client, target, reject) : undefined;
    return await timeline.measure('run', async () => {
      const left = this.#flags.interactive ? this.#lendStdin(attachment) : undefined;
      const ends = [writeOut(attachment), failed, ...(left ? [left] : [])];
      return (await Promise.race(ends)) === 'left' ? undefined : attachment.exited;
    });
  }

  [Symbol.dispose](): void {
    this.#disposables.dispose();
  }

  #lendTerminal(client: BoxClient, target: ProcessReference, reject: (error: unknown) => void): Disposable {
    using stack = new DisposableStack();
    if (this.#flags.interactive) stack.use(rawMode());
    const resize = (size: ReturnType<typeof terminalSize>) => {
      if (size) client.resize(target, size).catch(ignoreEnded).catch(reject);
    };
    stack.use(onResize(resize));
    // It may have changed since the process was asked for.
    resize(terminalSize());
    return stack.move();
  }

  /** @returns resolves when the user types the keys that leave the process */
  #lendStdin(attachment: Attachment): Promise<'left'> {
    const { stdin } = process;
    const keys = new DetachKeys(this.#flags.tty ? (this.#flags['detach-keys'] ?? DEFAULT_DETACH_KEYS) : undefined);
    const closed = () => stdin.unpipe(keys).destroy();
    attachment.stdin.once('close', closed);
    stdin.once('error', () => keys.end());
    stdin.pipe(keys).pipe(attachment.stdin);
    return keys.typed.then(() => {
      closed();
      return 'left';
    });
  }

  #signalled(name: NodeJS.Signals): void {
    const ending = ENDING.includes(name);
    if (name === 'SIGINT' || name === 'SIGTERM') this.#endings++;
    if (ending && (this.#relay === undefined || this.#endings >= PATIENCE)) {
      const left = this.#relay && `the workload goes on after ${this.#endings} signals; this command leaves it`;
      this.#controller.abort(new EndedBySignal(name, left));
    } else {
      this.#relay?.(name);
    }
  }
}

async function writeOut(attachment: Attachment): Promise<void> {
  for await (const { stream, data } of attachment.output) {
    const out = stream === 'stdout' ? process.stdout : process.stderr;
    if (!out.write(data)) await once(out, 'drain');
  }
}

/** A signal or a size may come too late, and that is no fault. */
function ignoreEnded(error: unknown): void {
  const { code } = error as { code?: unknown };
  if (code !== 'NOT_FOUND' && code !== 'CONFLICT' && code !== 'VM_ENDED' && code !== 'CANCELLED') throw error;
}
