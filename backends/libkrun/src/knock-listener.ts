import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { Announcement } from './announcement.js';

/** Is there from the guest's connection on, for whoever looks later. */
export const KNOCKED = 'knocked';

/** The guest's connection arrives at a socket (or named pipe) that this process listens on. */
export class KnockListener implements Announcement {
  readonly made: Promise<void>;
  readonly #server: Server | undefined;

  private constructor(made: Promise<void>, server?: Server) {
    this.made = made;
    this.#server = server;
  }

  /**
   * Listens.
   * @param directory the VM's @param address where; not in use
   * @throws Error of the system
   */
  static async listen(directory: string, address: string): Promise<KnockListener> {
    const listening = Promise.withResolvers<void>();
    const { server, made } = serve(directory);
    server.once('error', listening.reject);
    server.listen(address, listening.resolve);
    await listening.promise;
    server.on('error', () => undefined);
    return new KnockListener(made, server);
  }

  /** Looks at a VM that runs. One that has not knocked yet is listened to where its earlier host did. */
  static resume(directory: string, address: string): KnockListener {
    if (existsSync(join(directory, KNOCKED))) return new KnockListener(Promise.resolve());
    const { server, made } = serve(directory);
    server.on('error', () => undefined);
    server.listen(address);
    return new KnockListener(made, server);
  }

  close(): void {
    this.#server?.close();
  }
}

function serve(directory: string): { server: Server; made: Promise<void> } {
  const { promise: made, resolve } = Promise.withResolvers<void>();
  const server = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.destroy();
    writeFileSync(join(directory, KNOCKED), '', { mode: 0o600 });
    resolve();
    server.close();
  });
  return { server, made };
}
