import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import type { AgentEndpoint } from '@a3s-box/core';

/** A connection to the kit's guest: one command a line, one line of answer. */
export class GuestConnection implements Disposable {
  readonly #socket: Socket;
  #received = '';
  #waiting: PromiseWithResolvers<string> | undefined;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#waiting?.reject(new TypeError('the connection to the guest ended'));
    });
  }

  /** Waits until the guest listens, where that matters. @throws Error of the system when nobody listens */
  static async open({ socket: path, listening }: AgentEndpoint): Promise<GuestConnection> {
    await listening;
    const socket = connect(path);
    await once(socket, 'connect');
    return new GuestConnection(socket);
  }

  /** @returns the answer; waits for a guest that still boots @throws TypeError when the connection ends first */
  ask(command: string): Promise<string> {
    if (!this.#closed) this.#socket.write(`${command}\n`);
    return this.next();
  }

  /** @returns the next line that comes @throws TypeError when the connection ends first */
  async next(): Promise<string> {
    const line = this.#takeLine();
    if (line !== undefined) return line;
    if (this.#closed) throw new TypeError('the connection to the guest ended');
    this.#waiting = Promise.withResolvers<string>();
    try {
      return await this.#waiting.promise;
    } finally {
      this.#waiting = undefined;
    }
  }

  /** Sends a command that gets no answer. */
  tell(command: string): void {
    this.#socket.write(`${command}\n`);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#received += text;
    const line = this.#waiting && this.#takeLine();
    if (line !== undefined) this.#waiting?.resolve(line);
  }

  #takeLine(): string | undefined {
    const end = this.#received.indexOf('\n');
    if (end < 0) return undefined;
    const line = this.#received.slice(0, end);
    this.#received = this.#received.slice(end + 1);
    return line;
  }
}
