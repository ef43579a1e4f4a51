import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PublishedPort } from '@a3s-box/core';
import { hostResolvers } from '../dist/host-resolvers.js';
import { TsiNetwork } from '../dist/index.js';

const { signal } = new AbortController();
const port = (changes: Partial<PublishedPort> = {}): PublishedPort => ({
  ...{ hostAddress: '0.0.0.0', hostPort: 0, guestPort: 80, protocol: 'tcp' },
  ...changes,
});
const spec = (...ports: PublishedPort[]) => ({ boxId: 'box', directory: '/nonexistent', ports, hostAccess: [] });

describe('network "tsi"', () => {
  const network = new TsiNetwork({ nameServers: ['192.0.2.1'] });

  it('has nothing to connect to: the backend carries it', async () => {
    const endpoint = await network.attach(spec(), { signal });
    assert.equal(network.carrier, 'tsi');
    assert.equal(endpoint.attachment, undefined);
    assert.deepEqual(endpoint.guest.nameServers, ['192.0.2.1']);
    assert.deepEqual([endpoint.guest.addresses, endpoint.ports], [[], []]);
  });

  it('chooses free ports where none is given, each another', async () => {
    const { ports } = await network.attach(spec(port(), port({ guestPort: 81 })), { signal });
    const chosen = ports.map(({ hostPort }) => hostPort);
    assert.ok(chosen.every((number) => number > 0) && chosen[0] !== chosen[1], chosen.join(' '));
  });

  it('finds out before the start that a port is taken', async () => {
    const server = createServer().listen(0, '0.0.0.0');
    await once(server, 'listening');
    const { port: taken } = server.address() as AddressInfo;
    await assert.rejects(network.attach(spec(port({ hostPort: taken })), { signal }), { code: 'PORT_IN_USE' });
    server.close();
    await once(server, 'close');
  });

  it('refuses what the backend cannot publish', async () => {
    const refused = [
      [port({ protocol: 'udp' })],
      [port({ hostAddress: '127.0.0.1' })],
      [port({ hostAddress: '::' })],
      [port(), port({ hostPort: 8080 })],
    ];
    for (const ports of refused) {
      await assert.rejects(network.attach(spec(...ports), { signal }), { code: 'UNSUPPORTED' });
    }
  });

  it('is found again by its record, and takes no other', async () => {
    const { record, ports } = await network.attach(spec(port()), { signal });
    const onPaper = JSON.parse(JSON.stringify(record)) as typeof record;
    const adopted = await network.adopt(onPaper, { signal });
    assert.deepEqual([adopted.ports, adopted.record], [ports, record]);
    for (const change of [{ network: 'default' }, { version: 2 }]) {
      await assert.rejects(network.adopt({ ...onPaper, ...change }, { signal }), { code: 'INVALID_ARGUMENT' });
    }
  });

  it('is cancelled', async () => {
    const aborted = { signal: AbortSignal.abort() };
    await assert.rejects(network.probe(aborted), { code: 'CANCELLED' });
    await assert.rejects(network.attach(spec(), aborted), { code: 'CANCELLED' });
  });

  it('tells the guest the host’s resolvers, three at most', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'rc-'));
    const file = join(directory, 'resolv.conf');
    writeFileSync(
      file,
      '# none\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver x\nnameserver 2001:db8::1\n',
    );
    assert.deepEqual(hostResolvers(file), ['192.0.2.1', '2001:db8::1']);
    assert.deepEqual(hostResolvers(join(directory, 'absent')), []);
    rmSync(directory, { recursive: true });
    const wrong = new TsiNetwork({ nameServers: ['resolver'] });
    await assert.rejects(wrong.attach(spec(), { signal }), { code: 'INVALID_ARGUMENT' });
  });
});
