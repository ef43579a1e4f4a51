import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'mocha';
import type { Fixture } from './fixture.js';
import type { Namespace } from './namespaces.js';

const DENIED = [
  ...['169.254.169.254', '100.100.100.200', '192.0.0.192', '168.63.129.16', '0.1.2.3', '240.0.0.1'],
  ...['fd00:ec2::254', 'fd20:ce::254', '64:ff9b::a9fe:a9fe', '64:ff9b::7f00:1', '2002:7f00:1::1'],
];
const HOST_NAME = 'host.a3s.internal';

/** A server on the host's loopback that says a word to whoever connects. */
async function loopbackServer(address: string): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('reached the host'));
  }).listen(0, address);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

async function isRefused(guest: Namespace, address: string, port: number): Promise<void> {
  const answer = guest.ask('talkTcp', { address, port, text: '' }).then((text) => `answered "${text}"`);
  await assert.rejects(
    answer,
    ({ code }: { code?: unknown }) => {
      // Told, not left to a time-out.
      assert.ok(
        ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES'].includes(String(code)),
        `${address}: ${code}`,
      );
      return true;
    },
    address,
  );
}

export function deniedCases(current: () => Fixture): void {
  describe('denied', () => {
    for (const address of DENIED) {
      it(`${address}`, async () => {
        const { guest } = await current().connected();
        await isRefused(guest, address, 80);
      });
    }

    it("the host's loopback by the gateway's addresses", async () => {
      await using four = await loopbackServer('127.0.0.1');
      await using six = await loopbackServer('::1');
      const { guest, endpoint } = await current().connected();
      for (const gateway of endpoint.guest.gateways) {
        await isRefused(guest, gateway, four.port);
        await isRefused(guest, gateway, six.port);
      }
    });

    it('a port of the host that was not asked for', async () => {
      await using server = await loopbackServer('127.0.0.1');
      await using other = await loopbackServer('127.0.0.1');
      const { guest, endpoint } = await current().connected({ hostAccess: [server.port] });
      const resolver = endpoint.guest.nameServers[0] ?? '';
      const [host = ''] = await guest.ask('resolve', { server: resolver, name: HOST_NAME, kind: 'A' });
      await isRefused(guest, host, other.port);
    });
  });

  describe('host access', () => {
    for (const [address, kind] of [
      ['127.0.0.1', 'A'],
      ['::1', 'AAAA'],
    ] as const) {
      it(`reaches a port of ${address} that was asked for by ${HOST_NAME}`, async () => {
        await using server = await loopbackServer(address);
        const { guest, endpoint } = await current().connected({ hostAccess: [server.port] });
        const resolver = endpoint.guest.nameServers[0] ?? '';
        const [host = ''] = await guest.ask('resolve', { server: resolver, name: HOST_NAME, kind });
        assert.equal(await guest.ask('talkTcp', { address: host, port: server.port, text: '' }), 'reached the host');
      });
    }

    it('is not there unless asked for', async () => {
      const { guest, endpoint } = await current().connected();
      const server = endpoint.guest.nameServers[0] ?? '';
      await assert.rejects(guest.ask('resolve', { server, name: HOST_NAME, kind: 'A' }), { code: 'ENOTFOUND' });
    });
  });
}
