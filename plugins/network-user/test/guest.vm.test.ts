import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Outside } from '@a3s-box/contract-network';
import type { NetworkEndpoint } from '@a3s-box/core';
import { needs } from '../../../test/support/skip.ts';
import { UserNetwork } from '../dist/index.js';
import { GuestVm } from './guest-vm.ts';
import { silent } from './support.ts';

const HTTP_PORT = 8000;
const GUEST_PORT = 8080;
const LARGE_BYTES = 64 * 1024 * 1024;
const signal = new AbortController().signal;

describe('a guest on the default network', function () {
  this.timeout(120_000);
  let directory: string;
  let outside: Outside;
  let server: ChildProcess;
  let endpoint: NetworkEndpoint;
  let guest: GuestVm;

  before(async function () {
    needs(this, process.getuid?.() === 0, 'root, for network namespaces,');
    directory = mkdtempSync(join(tmpdir(), 'n-'));
    outside = new Outside();
    writeFileSync(join(directory, 'greeting'), 'from the outside\n');
    truncateSync(join(directory, 'greeting'), 17);
    writeFileSync(join(directory, 'large'), '');
    truncateSync(join(directory, 'large'), LARGE_BYTES);
    const httpd = ['busybox', 'httpd', '-f', '-p', String(HTTP_PORT), '-h', directory];
    server = spawn('ip', ['netns', 'exec', outside.namespace.name, ...httpd], { stdio: 'ignore' });
    await outside.namespace.ask('serveDns', { address: outside.ipv4 });
    const network = new UserNetwork({ logger: silent, nameServers: [outside.ipv4] });
    const ports = [{ hostAddress: '127.0.0.1', hostPort: 0, guestPort: GUEST_PORT, protocol: 'tcp' }] as const;
    const run = mkdtempSync(join(directory, 'r'));
    endpoint = await network.attach({ boxId: 'vm-test', directory: run, ports, hostAccess: [] }, { signal });
    guest = await GuestVm.boot(endpoint);
  });
  after(async () => {
    await guest?.[Symbol.asyncDispose]();
    await endpoint?.detach();
    server?.kill('SIGKILL');
    await outside?.[Symbol.asyncDispose]();
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });

  it('has the card, the addresses, the routes and the MTU that it was told', async () => {
    const { text } = await guest.run('ip address show eth0; ip route; ip -6 route');
    for (const address of endpoint.guest.addresses) assert.ok(text.includes(address), text);
    for (const gateway of endpoint.guest.gateways) assert.ok(text.includes(`default via ${gateway} dev eth0`), text);
    assert.ok(text.includes(`mtu ${endpoint.guest.mtu}`) && text.includes(endpoint.attachment?.mac ?? ' '), text);
  });

  it('fetches over IPv4 and IPv6', async () => {
    for (const host of [outside.ipv4, `[${outside.ipv6}]`]) {
      const fetched = await guest.run(`wget -q -O - http://${host}:${HTTP_PORT}/greeting`);
      assert.deepEqual(fetched, { code: 0, text: 'from the outside\n' });
    }
  });

  it('fetches a large file whole', async () => {
    const { text } = await guest.run(`wget -q -O - http://${outside.ipv4}:${HTTP_PORT}/large | wc -c`);
    assert.equal(Number(text), LARGE_BYTES);
  });

  it('resolves names', async () => {
    const { text } = await guest.run('nslookup host.test');
    assert.match(text, /192\.0\.2\.7/);
    assert.match(text, /2001:db8::7/);
  });

  it('pings its gateway', async () => {
    for (const gateway of endpoint.guest.gateways) {
      const { code, text } = await guest.run(`ping -c 1 -W 5 ${gateway}`);
      assert.equal(code, 0, text);
    }
  });

  it("reaches neither the host's loopback nor a metadata address", async () => {
    const host = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(host, 'listening');
    const { port } = host.address() as { port: number };
    try {
      for (const url of [`http://${endpoint.guest.gateways[0]}:${port}/`, 'http://169.254.169.254/latest']) {
        const { code, text } = await guest.run(`timeout 20 wget -q -O - ${url}`);
        assert.equal(code, 1, text);
        assert.match(text, /Connection refused|No route to host|Host is unreachable/i, url);
      }
    } finally {
      host.close();
    }
  });

  it('serves a published port', async () => {
    const started = await guest.run(`echo served >/index.html; httpd -p ${GUEST_PORT} -h /`);
    assert.equal(started.code, 0, started.text);
    const socket = connect(endpoint.ports[0]?.hostPort ?? 0, '127.0.0.1');
    socket.end('GET /index.html HTTP/1.0\r\n\r\n');
    let answer = '';
    for await (const data of socket) answer += String(data);
    assert.match(answer, /200 OK[^]*served\n$/);
  });

  it('has a VMM that runs under seccomp and without capabilities still', () => {
    const status = readFileSync(`/proc/${guest.vmmPid}/status`, 'utf8');
    assert.match(status, /^Seccomp:\t2$/m);
    assert.match(status, /^CapEff:\t0{16}$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
  });
});
