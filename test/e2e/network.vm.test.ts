import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Outside } from '@a3s-box/contract-network';
import { needs } from '../support/skip.ts';
import { BoxCli } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';
const HTTP_PORT = 8000;

describe('the network of a box', () => {
  let cli: BoxCli;
  let outside: Outside;
  let directory: string;
  let web: ChildProcess;
  let loopback: Server;
  let loopbackPort: number;

  before(async function () {
    needs(this, process.getuid?.() === 0, 'root, for network namespaces,');
    directory = mkdtempSync(join(tmpdir(), 'w-'));
    writeFileSync(join(directory, 'index.html'), 'from the outside\n');
    outside = new Outside();
    const httpd = ['busybox', 'httpd', '-f', '-p', String(HTTP_PORT), '-h', directory];
    web = spawn('ip', ['netns', 'exec', outside.namespace.name, ...httpd], { stdio: 'ignore' });
    loopback = createServer((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nfrom the host\n'));
    loopback.listen(0, '127.0.0.1');
    await once(loopback, 'listening');
    loopbackPort = (loopback.address() as { port: number }).port;
    cli = await BoxCli.create();
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    loopback?.close();
    web?.kill('SIGKILL');
    await outside?.[Symbol.asyncDispose]();
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });

  const sh = (script: string, ...options: string[]) => cli.run(['run', '--rm', ...options, IMAGE, 'sh', '-c', script]);

  it('leads out, and neither to the host’s loopback nor to metadata addresses', async () => {
    const fetch = (host: string) => `timeout 10 wget -q -O - http://${host}/ 2>&1 || echo refused`;
    const { stdout } = await sh(
      [
        fetch(`${outside.ipv4}:${HTTP_PORT}`),
        // The gateway's address is the way to the host's loopback elsewhere.
        fetch(`10.73.0.1:${loopbackPort}`),
        fetch(`10.73.0.3:${loopbackPort}`),
        fetch('169.254.169.254'),
      ].join('; '),
    );
    const text = stdout.toString();
    assert.match(text, /^from the outside$/m);
    assert.equal(text.match(/^refused$/gm)?.length, 3, text);
    assert.ok(!text.includes('from the host'), text);
  });

  it('has no way out with --network none [run --network]', async () => {
    const script = `ip address; timeout 5 wget -q -O - http://${outside.ipv4}:${HTTP_PORT}/ 2>&1; echo $?`;
    const { stdout } = await sh(script, '--network', 'none');
    assert.ok(!stdout.toString().includes('eth0'), stdout.toString());
    assert.match(stdout.toString(), /unreachable[^]*\n[1-9]\d*\n$/);
  });

  it('serves a published port, also after the supervisor was killed [run --publish]', async () => {
    const script = 'mkdir /w; echo from the box > /w/index.html; exec httpd -f -p 80 -h /w';
    const { stdout } = await cli.run(['run', '-d', '-p', '127.0.0.1::80', '--name', 'web', IMAGE, 'sh', '-c', script]);
    assert.match(stdout.toString(), /^[0-9a-f]{64}\n$/);
    const shown = (await cli.run(['port', 'web', '80'])).stdout.toString().trim();
    assert.match(shown, /^127\.0\.0\.1:\d+$/);
    assert.equal(await page(`http://${shown}/`), 'from the box\n');
    const info = JSON.parse((await cli.run(['info', '--json'])).stdout.toString()) as { supervisorPid: number };
    process.kill(info.supervisorPid, 'SIGKILL');
    assert.equal(await page(`http://${shown}/`), 'from the box\n');
    assert.equal((await cli.run(['port', 'web', '80'])).stdout.toString().trim(), shown);
    assert.equal((await cli.run(['rm', '-f', 'web'])).code, 0);
    await assert.rejects(page(`http://${shown}/`), { code: 'ECONNREFUSED' });
  });

  it('says that a port is taken before anything starts', async () => {
    const { code, stderr } = await sh('echo ran', '-p', `127.0.0.1:${loopbackPort}:80`);
    assert.equal(code, 125);
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${loopbackPort} cannot be published`));
    assert.equal((await cli.run(['ps', '-aq'])).stdout.toString(), '');
  });

  it('is refused by name when there is none of that name, or ports without one', async () => {
    const unknown = await sh('true', '--network', 'nowhere');
    assert.deepEqual([unknown.code, /network "nowhere" is not known/.test(unknown.stderr)], [125, true]);
    const useless = await sh('true', '--network', 'none', '-p', '80');
    assert.deepEqual([useless.code, /without a network/.test(useless.stderr)], [125, true]);
  });
});

/** Fetches a page; a server that does not listen yet is tried again. */
async function page(url: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      const request = get(url);
      const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
      return (await Array.fromAsync(response as AsyncIterable<Buffer>)).join('');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET' || attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}
