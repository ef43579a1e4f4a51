import { Socket } from 'node:net';
import { BoxError } from '@a3s-box/core';
import { connectUnix, sendDescriptor } from '@a3s-box/native';

/** An asynchronous message of QEMU's. */
export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface QmpMessage extends Partial<QmpEvent> {
  readonly QMP?: unknown;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** Longest line that is taken from a VMM, bytes; one that sends more is not what we started. */
const LINE_LIMIT = 1024 * 1024;

/**
 * One connection to QEMU's machine protocol (QMP, qemu-qmp-ref): commands in order, events as they come. QEMU serves one
 * connection at a time; it makes the protocol's greeting wait until the one before is gone.
 */
export class QmpClient {
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<void>;
  readonly #descriptor: number;
  readonly #socket: Socket;
  readonly #greeting = Promise.withResolvers<void>();
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #onEvent: (event: QmpEvent) => void;
  #received = '';
  #nextId = 1;

  /**
   * Connects.
   * @param path the Unix socket that QEMU listens on
   * @throws Error of the system when nobody listens there
   */
  constructor(path: string, onEvent: (event: QmpEvent) => void) {
    this.#onEvent = onEvent;
    this.#descriptor = connectUnix(path);
    this.#socket = new Socket({ fd: this.#descriptor, readable: true, writable: true });
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => this.#receive(text));
    // A failed connection is reported by `close`, which follows; who waits for an answer learns of it there.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#fail();
      closed.resolve();
    });
    this.#greeting.promise.catch(() => undefined);
  }

  /** Waits for the greeting and opens the command mode. @throws VM_ENDED when the connection ends first */
  async open(): Promise<void> {
    await this.#greeting.promise;
    await this.execute('qmp_capabilities');
  }

  /**
   * Runs a command.
   * @throws VM_ENDED when the connection ends first @throws INTERNAL with QEMU's own words when it refuses
   */
  execute(command: string, parameters?: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.#send({ execute: command, arguments: parameters }, (line) => this.#socket.write(line));
  }

  /**
   * Runs a command that takes a file along. @param descriptor stays the caller's
   * @throws VM_ENDED, INTERNAL as {@link execute}; INTERNAL too while other commands are still being written
   */
  executeWithDescriptor(
    command: string,
    parameters: Readonly<Record<string, unknown>>,
    descriptor: number,
  ): Promise<unknown> {
    // Past the stream's own queue: what is written there would arrive in pieces around this message.
    if (this.#socket.writableLength > 0)
      return Promise.reject(new BoxError('INTERNAL', 'the VMM does not take commands'));
    return this.#send({ execute: command, arguments: parameters }, (line) =>
      sendDescriptor(this.#descriptor, line, descriptor),
    );
  }

  /** Ends the connection; the VM goes on. Idempotent. */
  close(): void {
    this.#socket.destroy();
  }

  #send(message: Readonly<Record<string, unknown>>, write: (line: string) => void): Promise<unknown> {
    if (this.#socket.destroyed) return Promise.reject(ended());
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.#pending.set(id, answer);
    try {
      write(`${JSON.stringify({ ...message, id })}\n`);
    } catch (error) {
      this.#pending.delete(id);
      answer.reject(error);
    }
    return answer.promise;
  }

  #receive(text: string): void {
    const lines = (this.#received + text).split('\n');
    this.#received = lines.pop() ?? '';
    if (this.#received.length > LINE_LIMIT) {
      this.#socket.destroy();
      return;
    }
    for (const line of lines) {
      if (line.trim() !== '') this.#take(line);
    }
  }

  #take(line: string): void {
    let message: QmpMessage;
    try {
      message = JSON.parse(line) as QmpMessage;
    } catch {
      this.#socket.destroy();
      return;
    }
    if (message.QMP !== undefined) return this.#greeting.resolve();
    if (message.event !== undefined) return this.#onEvent(message as QmpEvent);
    const answer = message.id === undefined ? undefined : this.#pending.get(message.id);
    if (message.id === undefined || answer === undefined) return;
    this.#pending.delete(message.id);
    if (message.error === undefined) return answer.resolve(message.return);
    answer.reject(
      new BoxError('INTERNAL', `qemu refused a command: ${message.error.desc}`, { details: { ...message.error } }),
    );
  }

  #fail(): void {
    this.#greeting.reject(ended());
    for (const answer of this.#pending.values()) answer.reject(ended());
    this.#pending.clear();
  }
}

function ended(): BoxError {
  return new BoxError('VM_ENDED', 'the connection to the VMM ended');
}
