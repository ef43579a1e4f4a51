/** What a box on libkrun has of a network without a card, and that it has none of it where another one was asked for. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { BoxClient, BoxSpec } from '@a3s-box/core/client';
import { ran } from './support/ran.ts';
import { SdkHome } from './support/sdk-home.ts';

/** The starter image's wget ends with a fault when it is given a time limit. */
const fetch = (url: string): string => `timeout 60 wget -q -O - ${url}; echo "status $?"`;
const port = (guestPort: number, change: object = {}) => ({
  ...{ hostAddress: '0.0.0.0', hostPort: 0, guestPort, protocol: 'tcp' as const },
  ...change,
});

describe('network "tsi"', function () {
  this.timeout(300_000);
  let home: SdkHome;
  let client: BoxClient;
  let server: Server;
  let serverPort: number;
  before(async () => {
    home = await SdkHome.create();
    client = await home.connect();
    server = createServer((request, response) => response.end(`host got ${request.url}\n`)).listen(0);
    await once(server, 'listening');
    ({ port: serverPort } = server.address() as AddressInfo);
  });
  after(async () => {
    server.close();
    await home[Symbol.asyncDispose]();
  });

  const spec = (script: string, change: Partial<BoxSpec> = {}): BoxSpec =>
    home.spec(script, { backend: 'libkrun-kvm', ...change });

  it('is what a box gets, brings it to a server on the host, and carries a published port to it', async () => {
    const toHost = fetch(`http://${ownAddress()}:${serverPort}/hello`);
    const serve = 'mkdir /www; echo from the guest > /www/index.html; exec httpd -f -p 80 -h /www';
    const { id } = await client.runDetached(spec(`${toHost}; ${serve}`, { ports: [port(80)] }));
    const { ports, ...record } = await client.inspect(id);
    assert.deepEqual([record.network, record.backend, record.acceleration], ['tsi', 'libkrun-kvm', 'hardware']);
    assert.equal(await body(ports[0]?.hostPort ?? 0), 'from the guest\n');
    const lines = await Array.fromAsync(client.logs(id));
    assert.equal(lines.map(({ data }) => String(data)).join(''), 'host got /hello\nstatus 0\n');
    await client.remove(id, { force: true });
  });

  it('publishes only what it can, and a free port', async () => {
    const cases = [
      [port(53, { protocol: 'udp' }), /udp port 53 cannot be published in network "tsi"/],
      [port(80, { hostAddress: '127.0.0.1' }), /cannot be published on 127\.0\.0\.1 alone in network "tsi"/],
      [port(80, { hostPort: serverPort }), /port [0-9]+ of the host is in use/],
    ] as const;
    for (const [published, message] of cases)
      await assert.rejects(client.runDetached(spec('true', { ports: [published] })), { message });
  });

  it('is off with network "none"', async () => {
    const network = 'none';
    const { stdout } = await ran(client, spec(fetch(`http://127.0.0.1:${serverPort}/hello`), { network }));
    assert.match(stdout, /^status [1-9]/);
    const published = client.runDetached(spec('true', { network, ports: [port(80)] }));
    await assert.rejects(published, /ports cannot be published without a network/);
  });

  it('is off in another network, which the box has then', async () => {
    const script = ['127.0.0.1', ownAddress()]
      .map((address) => fetch(`http://${address}:${serverPort}/card`))
      .join(';');
    const { stdout, stderr } = await ran(client, spec(script, { network: 'default' }));
    assert.match(stdout, /^status [1-9][0-9]*\nhost got \/card\nstatus 0\n$/, stderr);
  });
});

/** An address of this host that is not its loopback. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const own = all.find(({ family, internal }) => family === 'IPv4' && !internal);
  assert.ok(own, 'this host has a network card');
  return own.address;
}

/** The guest listens a moment after the box has started: who asks before is refused, and asks again. */
async function body(port: number): Promise<string> {
  for (const end = Date.now() + 60_000; ;) {
    try {
      return await fetchBody(port);
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function fetchBody(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/' }, async (response) => {
      resolve(String(Buffer.concat(await response.toArray())));
    });
    request.on('error', reject);
  });
}
