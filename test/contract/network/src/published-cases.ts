import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'mocha';
import type { Fixture } from './fixture.js';

const GUEST_PORT = 8080;

async function talk(address: string, port: number, text: string): Promise<string> {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  socket.end(`echo\n${text}`);
  let answer = '';
  for await (const data of socket) answer += String(data);
  return answer;
}

async function talkUdp(address: string, port: number, text: string): Promise<string> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.send(text, port, address);
    const [data] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
    return data.toString();
  } finally {
    socket.close();
  }
}

export function publishedCases(current: () => Fixture): void {
  describe('published ports', () => {
    for (const hostAddress of ['127.0.0.1', '::1', '0.0.0.0', '::']) {
      const reached = hostAddress.includes(':') ? '::1' : '127.0.0.1';
      const any = hostAddress.includes(':') ? '::' : '0.0.0.0';

      it(`on ${hostAddress} lead TCP to the guest`, async () => {
        const port = { hostAddress, hostPort: 0, guestPort: GUEST_PORT, protocol: 'tcp' } as const;
        const { endpoint, guest } = await current().connected({ ports: [port] });
        await guest.ask('serveTcp', { address: any, port: GUEST_PORT });
        assert.equal(await talk(reached, endpoint.ports[0]?.hostPort ?? 0, 'to the guest'), 'to the guest');
      });

      it(`on ${hostAddress} lead UDP to the guest`, async () => {
        const port = { hostAddress, hostPort: 0, guestPort: GUEST_PORT, protocol: 'udp' } as const;
        const { endpoint, guest } = await current().connected({ ports: [port] });
        await guest.ask('serveUdp', { address: any, port: GUEST_PORT });
        const hostPort = endpoint.ports[0]?.hostPort ?? 0;
        assert.deepEqual(await Promise.all(['one', 'two'].map((text) => talkUdp(reached, hostPort, text))), [
          'one',
          'two',
        ]);
      });
    }

    it('of IPv6 reach a guest that listens on IPv4 alone', async () => {
      const port = { hostAddress: '::1', hostPort: 0, guestPort: GUEST_PORT, protocol: 'tcp' } as const;
      const { endpoint, guest } = await current().connected({ ports: [port] });
      await guest.ask('serveTcp', { address: '0.0.0.0', port: GUEST_PORT });
      assert.equal(await talk('::1', endpoint.ports[0]?.hostPort ?? 0, 'over'), 'over');
    });

    it('that nobody in the guest listens on reset the connection', async () => {
      const port = { hostAddress: '127.0.0.1', hostPort: 0, guestPort: GUEST_PORT, protocol: 'tcp' } as const;
      const { endpoint } = await current().connected({ ports: [port] });
      await assert.rejects(talk('127.0.0.1', endpoint.ports[0]?.hostPort ?? 0, 'nobody'), { code: 'ECONNRESET' });
    });

    it('are free again after detach', async () => {
      const port = { hostAddress: '127.0.0.1', hostPort: 0, guestPort: GUEST_PORT, protocol: 'tcp' } as const;
      const first = await current().attach({ ports: [port] });
      await first.detach();
      const second = await current().attach({ ports: first.ports });
      assert.deepEqual(second.ports, first.ports);
    });

    it('carry many connections at the same time', async () => {
      const port = { hostAddress: '127.0.0.1', hostPort: 0, guestPort: GUEST_PORT, protocol: 'tcp' } as const;
      const { endpoint, guest } = await current().connected({ ports: [port] });
      await guest.ask('serveTcp', { address: '0.0.0.0', port: GUEST_PORT });
      const hostPort = endpoint.ports[0]?.hostPort ?? 0;
      const talks = Array.from({ length: 100 }, (_, at) => talk('127.0.0.1', hostPort, `number ${at}`));
      assert.deepEqual(
        await Promise.all(talks),
        talks.map((_, at) => `number ${at}`),
      );
    });
  });
}
