/**
 * Runs in a network namespace and does there what the kit asks for: one JSON request a line on standard input, one answer a
 * line on standard output. See {@link NamespaceProgram} for the other side.
 */
import { createHash } from 'node:crypto';
import { createSocket, type SocketType } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, createServer, isIPv6, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { dnsServer } from './dns-server.js';
import type { Operations, Place, Stream } from './operations.js';

const LIMIT_MS = 10_000;
const CHUNK = Buffer.alloc(256 * 1024, 'a3s-box ');

/** A server of one first line: `echo`, `sink` (counts, then tells) or `source BYTES`. */
async function serveTcp({ address, port }: Place): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (first: Buffer) => {
      const end = first.indexOf(10);
      const [order, argument] = first.toString('latin1', 0, end).split(' ');
      const rest = first.subarray(end + 1);
      if (order === 'echo') echo(socket, rest);
      else if (order === 'sink') sink(socket, rest);
      else void source(socket, Number(argument));
    });
  });
  server.listen({ host: address, port, ipv6Only: isIPv6(address) });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function echo(socket: Socket, first: Buffer): void {
  socket.write(first);
  socket.pipe(socket);
}

function sink(socket: Socket, first: Buffer): void {
  const hash = createHash('sha256').update(first);
  let bytes = first.length;
  socket.on('data', (data: Buffer) => {
    bytes += data.length;
    hash.update(data);
  });
  socket.on('end', () => socket.end(`${bytes} ${hash.digest('hex')}\n`));
}

async function source(socket: Socket, bytes: number): Promise<void> {
  for (let left = bytes; left > 0 && !socket.destroyed; left -= CHUNK.length) {
    if (!socket.write(CHUNK.subarray(0, Math.min(left, CHUNK.length)))) {
      await writable(socket);
    }
  }
  socket.end();
}

function writable(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    socket.off('drain', done).off('close', done);
    resolve();
  };
  socket.on('drain', done).on('close', done);
  return promise;
}

async function open({ address, port }: Place): Promise<Socket> {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  await once(socket, 'connect', { signal: AbortSignal.timeout(LIMIT_MS) });
  return socket;
}

async function readToEnd(socket: Socket): Promise<Stream> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const data of socket) {
    hash.update(data as Buffer);
    bytes += (data as Buffer).length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function talkTcp({ text, ...place }: Place & { text: string }): Promise<string> {
  const socket = await open(place);
  socket.end(`echo\n${text}`);
  let answer = '';
  for await (const data of socket) answer += String(data);
  return answer;
}

async function upload({ bytes, ...place }: Place & { bytes: number }): Promise<Stream> {
  const socket = await open(place);
  socket.write('sink\n');
  const answer = (async () => {
    let text = '';
    for await (const data of socket) text += String(data);
    return text;
  })();
  await source(socket, bytes);
  const [count = '', sha256 = ''] = (await answer).trim().split(' ');
  return { bytes: Number(count), sha256 };
}

async function download({ bytes, ...place }: Place & { bytes: number }): Promise<Stream> {
  const socket = await open(place);
  socket.end(`source ${bytes}\n`);
  return readToEnd(socket);
}

/** One connection after the other. @returns the time of each from its start to the whole answer, ms */
async function talkMany({ count, ...place }: Place & { count: number }): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const start = performance.now();
    const text = `connection ${at}`;
    const answer = await talkTcp({ ...place, text });
    if (answer !== text) throw new TypeError(`connection ${at} got "${answer}"`);
    times.push(performance.now() - start);
  }
  return times;
}

/** Connects and is reset by the other side, or resets it. @returns how it ended here */
async function resetAfter({ text, ...place }: Place & { text: string }): Promise<string> {
  const socket = await open(place);
  socket.write(`echo\n${text}`);
  await once(socket, 'data');
  socket.resetAndDestroy();
  return 'reset';
}

function udp(address: string): SocketType {
  return isIPv6(address) ? 'udp6' : 'udp4';
}

async function serveUdp({ address, port }: Place): Promise<number> {
  const socket = createSocket({ type: udp(address), ipv6Only: isIPv6(address) });
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket.address().port;
}

async function talkUdp({ address, port, bytes }: Place & { bytes: number }): Promise<number> {
  const socket = createSocket(udp(address));
  try {
    socket.connect(port, address);
    await once(socket, 'connect', { signal: AbortSignal.timeout(LIMIT_MS) });
    socket.send(CHUNK.subarray(0, bytes));
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(LIMIT_MS) })) as [Buffer];
    return answer.equals(CHUNK.subarray(0, bytes)) ? answer.length : -1;
  } finally {
    socket.close();
  }
}

async function resolve({ server, name, kind }: { server: string; name: string; kind: string }): Promise<string[]> {
  const resolver = new Resolver({ timeout: 3000, tries: 2 });
  resolver.setServers([server]);
  if (kind === 'AAAA') return resolver.resolve6(name);
  if (kind === 'TXT') return (await resolver.resolveTxt(name)).map((parts) => parts.join(''));
  return resolver.resolve4(name);
}

const OPERATIONS: { readonly [K in keyof Operations]: (argument: Operations[K][0]) => Promise<Operations[K][1]> } = {
  ...{ serveTcp, serveUdp, serveDns: dnsServer, talkTcp, talkMany, talkUdp, upload, download, resetAfter, resolve },
  sha256: ({ bytes }) => {
    const hash = createHash('sha256');
    for (let left = bytes; left > 0; left -= CHUNK.length) hash.update(CHUNK.subarray(0, Math.min(left, CHUNK.length)));
    return Promise.resolve(hash.digest('hex'));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, operation, argument } = JSON.parse(line) as { id: number; operation: keyof Operations; argument: never };
  const work = OPERATIONS[operation] as (argument: never) => Promise<unknown>;
  void work(argument).then(
    (result) => answer({ id, result }),
    (error: unknown) => {
      const { code, message, name } = error as { code?: unknown; message: string; name: string };
      answer({ id, error: { code: typeof code === 'string' ? code : name, message } });
    },
  );
}

function answer(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}
