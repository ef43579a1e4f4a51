/** QEMU's machine protocol over a stream that is already connected. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';

interface Message {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: { readonly status?: string };
}

const MIGRATION_ENDS = ['completed', 'failed'];

export class QmpStream {
  readonly #stream: Duplex;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #migrated = Promise.withResolvers<string>();
  #nextId = 1;

  private constructor(stream: Duplex) {
    this.#stream = stream;
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => this.#take(JSON.parse(line) as Message));
    stream.on('error', () => undefined);
    this.#migrated.promise.catch(() => undefined);
    lines.on('close', () => {
      const ended = new Error('QEMU has ended');
      this.#migrated.reject(ended);
      for (const { reject } of this.#pending.values()) reject(ended);
      this.#pending.clear();
    });
  }

  static async open(stream: Duplex): Promise<QmpStream> {
    const qmp = new QmpStream(stream);
    await qmp.execute('qmp_capabilities');
    const capabilities = ['x-ignore-shared', 'events'].map((capability) => ({ capability, state: true }));
    await qmp.execute('migrate-set-capabilities', { capabilities });
    return qmp;
  }

  execute(command: string, parameters: object = {}): Promise<unknown> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.#pending.set(id, answer);
    this.#stream.write(`${JSON.stringify({ execute: command, arguments: parameters, id })}\n`);
    return answer.promise;
  }

  /** Writes the devices' state of a stopped machine to a file. The memory is a file already. */
  async saveState(file: string): Promise<void> {
    await this.execute('migrate', { uri: `exec:cat >${quote(file)}` });
    await this.#migrationEnd();
  }

  /** Loads the devices' state into a machine that was started for it. It stands still afterwards. */
  async loadState(file: string): Promise<void> {
    await this.execute('migrate-incoming', { uri: `exec:cat ${quote(file)}` });
    await this.#migrationEnd();
  }

  async quit(): Promise<void> {
    const closed = once(this.#stream, 'close');
    await this.execute('quit').catch(() => undefined);
    await closed;
  }

  async #migrationEnd(): Promise<void> {
    const status = await this.#migrated.promise;
    if (status !== 'completed') throw new Error('QEMU could not move the state of its devices');
  }

  #take({ id, error, event, data, ...message }: Message): void {
    if (event === 'MIGRATION' && MIGRATION_ENDS.includes(data?.status ?? ''))
      this.#migrated.resolve(data?.status ?? '');
    const answer = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || answer === undefined) return;
    this.#pending.delete(id);
    if (error === undefined) answer.resolve(message.return);
    else answer.reject(new Error(`QEMU: ${error.desc}`));
  }
}

function quote(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
