/** What a box on libkrun has of a network without a card, and that it has none of it where another one was asked for. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { BoxCli } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';
const env = { A3S_BOX_BACKEND: 'libkrun-kvm' };
/** The starter image's wget ends with a fault when it is given a time limit. */
const fetch = (url: string): string[] => ['sh', '-c', `timeout 20 wget -q -O - ${url}; echo "status $?"`];

describe('network "tsi"', function () {
  this.timeout(300_000);
  let cli: BoxCli;
  let server: Server;
  let port: number;
  before(async () => {
    cli = await BoxCli.create();
    server = createServer((request, response) => response.end(`host got ${request.url}\n`)).listen(0);
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(async () => {
    server.close();
    await cli[Symbol.asyncDispose]();
  });

  const run = (...args: string[]) => cli.run(['run', '--rm', ...args], { env });

  it('is what a box gets, and brings it to a server on the host', async () => {
    const address = ownAddress();
    const { stdout, stderr } = await run(IMAGE, ...fetch(`http://${address}:${port}/hello`));
    assert.equal(stdout.toString(), 'host got /hello\nstatus 0\n', stderr);
  });

  it('carries a published port to the guest', async () => {
    const serve = 'mkdir /www; echo from the guest > /www/index.html; exec httpd -f -p 80 -h /www';
    const started = await cli.run(['run', '-d', '--name', 'web', '-p', '80', IMAGE, 'sh', '-c', serve], { env });
    assert.equal(started.code, 0, started.stderr);
    const { stdout } = await cli.run(['port', 'web', '80'], { env });
    const published = Number(/:([0-9]+)\s*$/m.exec(stdout.toString())?.[1]);
    assert.ok(published > 0, stdout.toString());
    assert.equal(await body(published), 'from the guest\n');
    const inspected = await cli.run(
      ['inspect', '--format', '{{.HostConfig.NetworkMode}} {{.Backend}} {{.Acceleration}}', 'web'],
      { env },
    );
    assert.equal(inspected.stdout.toString(), 'tsi libkrun-kvm hardware\n', inspected.stderr);
    await cli.run(['rm', '-f', 'web'], { env });
  });

  it('publishes only what it can, and a free port', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['53:53/udp', /udp port 53 cannot be published in network "tsi"/],
      ['127.0.0.1:8080:80', /cannot be published on 127\.0\.0\.1 alone in network "tsi"/],
      [`${port}:80`, /port [0-9]+ of the host is in use/],
    ];
    for (const [publish, message] of cases) {
      const { code, stderr } = await run('-p', publish, IMAGE, 'true');
      assert.equal(code, 125);
      assert.match(stderr, message);
    }
  });

  it('is off with --network none', async () => {
    const { stdout } = await run('--network', 'none', IMAGE, ...fetch(`http://127.0.0.1:${port}/hello`));
    assert.match(stdout.toString(), /^status [1-9]/);
    const published = await run('--network', 'none', '-p', '80', IMAGE, 'true');
    assert.match(published.stderr, /ports cannot be published without a network/);
  });

  it('is off in another network, which the box has then', async () => {
    const loopback = await run('--network', 'default', IMAGE, ...fetch(`http://127.0.0.1:${port}/hello`));
    assert.match(loopback.stdout.toString(), /^status [1-9]/);
    const { stdout, stderr } = await run(
      '--network',
      'default',
      IMAGE,
      ...fetch(`http://${ownAddress()}:${port}/card`),
    );
    assert.equal(stdout.toString(), 'host got /card\nstatus 0\n', stderr);
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
