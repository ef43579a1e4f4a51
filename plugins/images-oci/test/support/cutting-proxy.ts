/** Stands before a server and breaks connections. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface CuttingProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Bytes that clients have sent. */
  readonly sent: number;
  /** How often it has cut. */
  readonly cuts: number;
}

/** @param afterBytes how much each connection of the first carries to the server before it is cut */
export async function cuttingProxy(target: string, afterBytes: readonly number[]): Promise<CuttingProxy> {
  const [, port] = target.split(':');
  const sockets = new Set<Socket>();
  const left = [...afterBytes];
  let sent = 0;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), '127.0.0.1');
    const both = [client, upstream];
    for (const socket of both) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        for (const it of both) it.destroy();
      });
    }
    let carried = 0;
    client.on('data', (data) => {
      sent += data.length;
      carried += data.length;
      const [limit] = left;
      if (limit !== undefined && carried >= limit) {
        left.shift();
        cuts++;
        // What came so far gets there.
        upstream.end(data, () => client.resetAndDestroy());
      } else if (!upstream.write(data)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
    });
    upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get sent() {
      return sent;
    },
    get cuts() {
      return cuts;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
