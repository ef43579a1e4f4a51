/** What a box on libkrun has of a network without a card when it asks for that, and that it has none of it otherwise. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
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

/** Far more than a libkrun before 1.19 carries over impersonated sockets before it stops for good. */
const UPLOAD_BYTES = 2 * 2 ** 20;
/** Comes in frames as long as they get. */
const DOWNLOAD_BYTES = 4 * 2 ** 20;

describe('network "tsi"', function () {
  this.timeout(300_000);
  let home: SdkHome;
  let client: BoxClient;
  let server: Server;
  let serverPort: number;
  before(async () => {
    home = await SdkHome.create();
    client = await home.connect();
    server = createServer((request, response) => {
      response.end(request.url === '/large' ? Buffer.alloc(DOWNLOAD_BYTES) : `host got ${request.url}\n`);
    }).listen(0);
    await once(server, 'listening');
    ({ port: serverPort } = server.address() as AddressInfo);
  });
  after(async () => {
    server.close();
    await home[Symbol.asyncDispose]();
  });

  const spec = (script: string, change: Partial<BoxSpec> = {}): BoxSpec =>
    home.spec(script, { backend: 'libkrun-kvm', ...change });

  it('brings a box to a server on the host, and carries a published port to it', async () => {
    const toHost = fetch(`http://${ownAddress()}:${serverPort}/hello`);
    const serve = 'mkdir /www; echo from the guest > /www/index.html; exec httpd -f -p 80 -h /www';
    const { id } = await client.runDetached(spec(`${toHost}; ${serve}`, { network: 'tsi', ports: [port(80)] }));
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
      await assert.rejects(client.runDetached(spec('true', { network: 'tsi', ports: [published] })), { message });
  });

  it('is off with network "none"', async () => {
    const network = 'none';
    const { stdout } = await ran(client, spec(fetch(`http://127.0.0.1:${serverPort}/hello`), { network }));
    assert.match(stdout, /^status [1-9]/);
    const published = client.runDetached(spec('true', { network, ports: [port(80)] }));
    await assert.rejects(published, /ports cannot be published without a network/);
  });

  it('is off in another network, which a box has on this libkrun that asks for none: one that much goes over whole, both ways', async () => {
    await using counter = await countingServer();
    const fetches = ['127.0.0.1', ownAddress()].map((address) => fetch(`http://${address}:${serverPort}/card`));
    const upload = `head -c ${UPLOAD_BYTES} /dev/zero | timeout 60 nc ${ownAddress()} ${counter.port}`;
    const download = `timeout 60 wget -q -O - http://${ownAddress()}:${serverPort}/large | wc -c`;
    const script = [...fetches, download, upload].join(';');
    const { id } = await client.runDetached(spec(script));
    const exit = await client.wait(id);
    const { network } = await client.inspect(id);
    const lines = await Array.fromAsync(client.logs(id));
    const output = lines.map(({ data }) => String(data)).join('');
    assert.match(output, /^(?:[^s].*\n)*status [1-9][0-9]*\nhost got \/card\nstatus 0\n/);
    assert.match(output, new RegExp(`\n${DOWNLOAD_BYTES}\n${UPLOAD_BYTES} bytes\n$`));
    assert.deepEqual([network, exit.known && exit.code], ['default', 0]);
    await client.remove(id, { force: true });
  });
});

/** Says how much it was sent, when all has been. */
async function countingServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createTcpServer({ allowHalfOpen: true }, async (socket) => {
    let bytes = 0;
    for await (const part of socket as AsyncIterable<Buffer>) bytes += part.length;
    socket.end(`${bytes} bytes\n`);
  }).listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

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
