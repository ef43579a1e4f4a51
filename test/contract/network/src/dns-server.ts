import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6 } from 'node:net';

const HEADER = 12;
const TYPE_A = 1;
const TYPE_TXT = 16;
const TYPE_AAAA = 28;
const NAME_ERROR = 3;

/** Addresses of `host.test`, and the text of `long.test`, which is answered in full over TCP alone. */
export const KNOWN = { a: '192.0.2.7', aaaa: '2001:db8::7', text: 'x'.repeat(200) } as const;

/** A resolver on port 53 over UDP and TCP. @returns the port */
export async function dnsServer({ address }: { readonly address: string }): Promise<number> {
  const type = isIPv6(address) ? 'udp6' : 'udp4';
  const socket = createSocket({ type, ipv6Only: isIPv6(address) });
  socket.on('message', (query, from) => socket.send(answer(query, 'udp'), from.port, from.address));
  socket.bind(53, address);
  await once(socket, 'listening');
  const server = createServer((stream) => {
    let received = Buffer.alloc(0);
    stream.on('error', () => undefined);
    stream.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
        const end = 2 + received.readUInt16BE();
        const message = answer(received.subarray(2, end), 'tcp');
        const length = Buffer.alloc(2);
        length.writeUInt16BE(message.length);
        stream.write(Buffer.concat([length, message]));
        received = received.subarray(end);
      }
    });
  });
  server.listen({ host: address, port: 53, ipv6Only: isIPv6(address) });
  await once(server, 'listening');
  return 53;
}

function answer(query: Buffer, transport: 'udp' | 'tcp'): Buffer {
  const labels: string[] = [];
  let at = HEADER;
  while (query[at] !== 0) {
    const length = query[at] ?? 0;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  const type = query.readUInt16BE(at + 1);
  const question = query.subarray(HEADER, at + 5);
  const name = labels.join('.').toLowerCase();
  const data = name === 'host.test' || name === 'long.test' ? record(name, type) : undefined;
  const truncated = name === 'long.test' && transport === 'udp';
  const header = Buffer.from(query.subarray(0, HEADER));
  header[2] = 0x84 | ((query[2] ?? 0) & 1) | (truncated ? 2 : 0);
  header[3] = 0x80 | (data === undefined ? NAME_ERROR : 0);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(data !== undefined && !truncated ? 1 : 0, 6);
  header.fill(0, 8);
  if (data === undefined || truncated) return Buffer.concat([header, question]);
  const resource = Buffer.from([
    0xc0,
    HEADER,
    type >> 8,
    type & 255,
    0,
    1,
    0,
    0,
    0,
    60,
    data.length >> 8,
    data.length & 255,
  ]);
  return Buffer.concat([header, question, resource, data]);
}

function record(name: string, type: number): Buffer | undefined {
  if (name === 'long.test')
    return type === TYPE_TXT ? Buffer.from([KNOWN.text.length, ...Buffer.from(KNOWN.text)]) : undefined;
  if (type === TYPE_A) return Buffer.from(KNOWN.a.split('.').map(Number));
  if (type !== TYPE_AAAA) return undefined;
  const [front = '', back = ''] = KNOWN.aaaa.split('::');
  const groups = (text: string): number[] => text.split(':').map((group) => parseInt(group, 16));
  const before = groups(front);
  const after = groups(back);
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}
