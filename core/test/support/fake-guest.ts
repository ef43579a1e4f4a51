import { createHash } from 'node:crypto';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { Server, ServerCredentials, type UntypedServiceImplementation, type ServiceDefinition } from '@grpc/grpc-js';

/** Bytes of an opening: key, nonce, checksum (guest-init/proto/README.md). */
const OPENING = 56;

/** The host's peer in tests: does the guest's side of the session handshake and serves gRPC behind it. */
export class FakeGuest {
  readonly socketPath: string;
  readonly #server: NetServer;
  readonly #grpc = new Server();
  readonly #sockets = new Set<Socket>();
  key: Buffer;
  /** Sent before each echo, as the rest of an earlier session would be. */
  leftOver: Buffer = Buffer.alloc(0);

  constructor(socketPath: string, key: Buffer) {
    this.socketPath = socketPath;
    this.key = key;
    const injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      let received = Buffer.alloc(0);
      const onData = (piece: Buffer) => {
        received = Buffer.concat([received, piece]);
        const at = received.indexOf(this.key);
        if (at < 0 || received.length < at + OPENING) return;
        const nonce = received.subarray(at + 32, at + 48);
        const checksum = createHash('sha256').update(this.key).update(nonce).digest().subarray(0, 8);
        if (!received.subarray(at + 48, at + OPENING).equals(checksum)) return;
        socket.off('data', onData);
        socket.pause();
        const rest = received.subarray(at + OPENING);
        if (rest.length > 0) socket.unshift(rest);
        socket.write(Buffer.concat([this.leftOver, Buffer.from('A3SBOX1\n'), nonce]));
        injector.injectConnection(socket);
      };
      socket.on('data', onData);
    });
  }

  addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void {
    this.#grpc.addService(definition, implementation);
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.socketPath, resolve));
  }

  /** Cuts all connections, as the death of a VMM does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#grpc.forceShutdown();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
