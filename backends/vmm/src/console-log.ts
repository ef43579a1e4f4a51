import { constants, openSync, readFileSync, writeFileSync, appendFileSync } from 'node:fs';
import { createServer, Socket, type Server } from 'node:net';
import { join } from 'node:path';
import { asBoxError } from '@a3s-box/core';
import { makeFifo } from '@a3s-box/native';
import type { DescriptorTable } from './descriptor-table.js';

/** What is kept of a console, bytes. A guest can write as much as it likes. */
const KEPT_BYTES = 128 * 1024;
/** The file may grow to this before it is cut back to {@link KEPT_BYTES}. */
const FILE_LIMIT = 2 * KEPT_BYTES;

/**
 * The guest's console: a named pipe from the VMM, whose last bytes are kept in memory and in a bounded file, so that a
 * later process can go on. While nobody reads, the pipe keeps the first 64 KiB and the VMM drops the rest; neither the
 * guest nor the host's disk can be filled by it. What a full disk has no room for is only in memory until there is room.
 */
export class ConsoleLog {
  /** Resolves when the VMM has closed its end and everything was read, or after {@link close}. */
  readonly ended: Promise<void>;
  readonly #file: string;
  readonly #ended = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #server: Server | undefined;
  #chunks: Buffer[] = [];
  #kept = 0;
  #fileBytes = 0;

  private constructor(directory: string) {
    this.#file = join(directory, 'console.log');
    this.ended = this.#ended.promise;
  }

  /**
   * Makes the pipe.
   * @param table gets the VMM's ends @returns the log, and the numbers of the VMM's ends: the one that it writes to, and one
   * that it only has to keep
   */
  static create(directory: string, table: DescriptorTable): { log: ConsoleLog; writer: number; reader: number } {
    const pipe = join(directory, 'console');
    makeFifo(pipe);
    const own = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = table.open(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    // Held by the VMM and never read there: with a reader of its own the pipe keeps bytes while no host is there.
    const reader = table.open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const log = new ConsoleLog(directory);
    log.#read(new Socket({ fd: own, readable: true, writable: false }));
    return { log, writer, reader };
  }

  /** Goes on reading the pipe of a VMM that runs. */
  static resume(directory: string): ConsoleLog {
    const reader = openSync(join(directory, 'console'), constants.O_RDONLY | constants.O_NONBLOCK);
    const log = new ConsoleLog(directory);
    log.#restore();
    log.#read(new Socket({ fd: reader, readable: true, writable: false }));
    return log;
  }

  /**
   * Listens for a VMM that connects to an address (a named pipe of Windows) and writes its console there.
   * @throws Error of the system
   */
  static async serve(directory: string, address: string): Promise<ConsoleLog> {
    const log = new ConsoleLog(directory);
    const listening = Promise.withResolvers<void>();
    log.#server = createServer((socket) => log.#read(socket));
    log.#server.once('error', listening.reject);
    log.#server.listen(address, listening.resolve);
    await listening.promise;
    return log;
  }

  /** What is kept of the console of a VMM whose connection went with the process that had it. */
  static restore(directory: string): ConsoleLog {
    const log = new ConsoleLog(directory);
    log.#restore();
    return log;
  }

  /** The VMM is gone: what it did not begin does not come any more. */
  finish(): void {
    // What it did may be waiting to be seen.
    setImmediate(() => {
      this.#server?.close();
      if (this.#socket === undefined) this.#ended.resolve();
    });
  }

  /** The last bytes, as UTF-8 with replacement. */
  tail(bytes: number): string {
    const all = Buffer.concat(this.#chunks);
    return all.subarray(Math.max(0, all.length - bytes)).toString('utf8');
  }

  /** Stops reading. Idempotent. */
  close(): void {
    this.#server?.close();
    if (this.#socket === undefined) this.#ended.resolve();
    else this.#socket.destroy();
  }

  #read(socket: Socket): void {
    this.#socket = socket;
    this.#server?.close();
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#ended.resolve());
  }

  #restore(): void {
    try {
      const kept = readFileSync(this.#file);
      this.#chunks = [kept];
      this.#kept = this.#fileBytes = kept.length;
    } catch (error) {
      // A console that has said nothing yet has no file.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#kept += chunk.length;
    if (this.#kept > FILE_LIMIT) {
      const all = Buffer.concat(this.#chunks);
      // A copy: a slice would keep the whole buffer.
      this.#chunks = [Buffer.from(all.subarray(all.length - KEPT_BYTES))];
      this.#kept = KEPT_BYTES;
    }
    this.#store(chunk);
  }

  #store(chunk: Buffer): void {
    this.#fileBytes += chunk.length;
    try {
      if (this.#fileBytes <= FILE_LIMIT) {
        appendFileSync(this.#file, chunk, { mode: 0o600 });
        return;
      }
      const kept = Buffer.concat(this.#chunks);
      writeFileSync(this.#file, kept, { mode: 0o600 });
      this.#fileBytes = kept.length;
    } catch (error) {
      if (asBoxError(error).code !== 'DISK_FULL') throw error;
      // The next bytes bring these with them.
      this.#fileBytes = FILE_LIMIT;
    }
  }
}
