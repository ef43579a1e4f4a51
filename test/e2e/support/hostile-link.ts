import { connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between a host and the agent's socket, and can be cut at any byte. */
export class HostileLink implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** @param path of the socket to make @param target the agent's */
  static async open(path: string, target: string): Promise<HostileLink> {
    const server = createServer((host) => {
      const agent = connect(target);
      for (const socket of [host, agent]) {
        link.#sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => link.#sockets.delete(socket));
      }
      host.pipe(agent).pipe(host);
    });
    const link = new HostileLink(path, server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return link;
  }

  /** Ends every connection as the death of its host would: without a word, whatever is under way. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
