/**
 * Loaded ahead of a supervisor (`node --import`): writes down what goes over its agents' connections, for a program that is
 * to have the same guest do the same. The last connection's record is in the file that BENCH_TRANSCRIPT names: for each
 * piece one byte, `h` for the host's and `g` for the guest's, its length in four bytes, and the host's bytes themselves.
 */
import { writeFileSync } from 'node:fs';
import { createServer, Socket, type IpcSocketConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const file = process.env['BENCH_TRANSCRIPT'] ?? '';
const connectAsUsual = Socket.prototype.connect as (this: Socket, ...values: unknown[]) => Socket;
let proxies = 0;

/** What `connect` was called with: options, or Node's own array of options and callback. */
function optionsOf(value: unknown): Partial<IpcSocketConnectOpts> {
  return (Array.isArray(value) ? value[0] : value) as Partial<IpcSocketConnectOpts>;
}

Socket.prototype.connect = function (this: Socket, ...values: unknown[]): Socket {
  const options = optionsOf(values[0]);
  if (options?.path?.endsWith('/agent.sock') === true) options.path = proxyTo(options.path);
  return connectAsUsual.apply(this, values);
} as typeof Socket.prototype.connect;

/** @returns the path of a socket behind which the other one is */
function proxyTo(path: string): string {
  const own = join(tmpdir(), `agent-proxy-${process.pid}-${++proxies}`);
  const server = createServer((near) => {
    server.close();
    const pieces: Buffer[] = [];
    const far = new Socket();
    connectAsUsual.call(far, path);
    near.on('data', (data: Buffer) => {
      pieces.push(headOf('h', data), data);
      far.write(data);
    });
    far.on('data', (data: Buffer) => {
      pieces.push(headOf('g', data));
      near.write(data);
    });
    const end = (): void => {
      near.destroy();
      far.destroy();
      writeFileSync(file, Buffer.concat(pieces));
    };
    near.on('error', end).on('close', end);
    far.on('error', end).on('close', end);
  });
  server.listen(own);
  return own;
}

function headOf(direction: string, { length }: Buffer): Buffer {
  const head = Buffer.from(`${direction}0000`);
  head.writeUInt32LE(length, 1);
  return head;
}
