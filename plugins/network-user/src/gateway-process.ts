import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { BoxError, type ProcessIdentity } from '@a3s-box/core';
import { openProcess, processStartTime, type ProcessHandle } from '@a3s-box/native';

/** A gateway's process, whoever started it. */
export interface GatewayProcess {
  readonly identity: ProcessIdentity;
  /** Resolves when it is gone, with how it ended. Never rejects. */
  readonly gone: Promise<string>;
  /** Ends it and waits until it is gone. Idempotent. */
  kill(): Promise<void>;
  /** Lets go of it without touching it. Idempotent. */
  release(): void;
}

/** What a gateway says in its one line. */
export interface GatewayLine {
  readonly ready?: { readonly ports: readonly unknown[] };
  readonly probe?: { readonly ping: boolean };
  readonly error?: { readonly code: string; readonly message: string; readonly errno?: number };
}

const LINE_LIMIT = 1024 * 1024;

/** A gateway that this process started. It lives on when this process ends. */
export class ChildGateway implements GatewayProcess {
  readonly identity: ProcessIdentity;
  readonly gone: Promise<string>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    const pid = child.pid ?? 0;
    this.identity = { pid, startTime: processStartTime(pid) ?? '' };
    this.gone = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
      child.once('error', (error) => resolve(error.message));
    });
  }

  /** Starts a program. @param text what it reads first */
  static start(program: string, parameters: readonly string[], text: string): ChildGateway {
    const child = spawn(program, parameters, {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const gateway = new ChildGateway(child);
    // A process that ends early does not read; its line, or that there is none, tells why.
    gateway.#input.on('error', () => undefined);
    gateway.#input.write(text);
    return gateway;
  }

  /** The line that it says. @throws NETWORK_FAILED when it ends without one */
  async line(): Promise<GatewayLine> {
    const output = this.#child.stdout as Readable;
    let text = '';
    try {
      for await (const chunk of output.setEncoding('utf8')) {
        text += String(chunk);
        if (text.includes('\n') || text.length > LINE_LIMIT) break;
      }
    } catch (cause) {
      throw new BoxError('NETWORK_FAILED', 'the network gateway could not be read', { cause });
    }
    const end = text.indexOf('\n');
    if (end >= 0) return JSON.parse(text.slice(0, end)) as GatewayLine;
    throw new BoxError('NETWORK_FAILED', `the network gateway ended before it was ready (${await this.gone})`);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.gone;
    this.release();
  }

  release(): void {
    this.#input.destroy();
    this.#child.stdout?.destroy();
    this.#child.unref();
  }

  /** Has this process end although the gateway runs. The pipe stays: it tells the gateway that this process is there. */
  unref(): void {
    this.#child.unref();
    (this.#input as unknown as { unref(): void }).unref();
  }

  get #input(): Writable {
    return this.#child.stdin as Writable;
  }
}

/** A gateway that an earlier process started: seen and signalled through a process descriptor. */
export class AdoptedGateway implements GatewayProcess {
  readonly gone: Promise<string>;
  readonly #handle: ProcessHandle;

  /** @throws NOT_FOUND when no process has that id and start time */
  constructor(readonly identity: ProcessIdentity) {
    const handle = openProcess(identity.pid, identity.startTime);
    if (handle === undefined) {
      throw new BoxError('NOT_FOUND', `the network gateway with process id ${identity.pid} does not run any more`);
    }
    this.#handle = handle;
    const gone = Promise.withResolvers<string>();
    this.gone = gone.promise;
    handle.watch(() => gone.resolve('how is not known'));
  }

  async kill(): Promise<void> {
    if (this.#handle.signal(constants.signals.SIGKILL)) await this.gone;
    this.release();
  }

  release(): void {
    this.#handle.close();
  }
}
