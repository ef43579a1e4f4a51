import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxClient, isBoxError } from '../../dist/client/index.js';
import { FakeSupervisor } from './fake-supervisor.ts';

const FAKE = join(import.meta.dirname, 'fake-supervisor-main.ts');

describe('BoxClient.connect', () => {
  let parent: string;
  let home: string;
  const pids = new Set<number>();

  const command = (mode = 'ready') => ({
    command: [process.execPath, FAKE, '--home', home],
    environment: { PATH: process.env['PATH']!, FAKE_SUPERVISOR: mode },
  });
  const starts = () => readFileSync(join(home, 'starts'), 'utf8').trim().split('\n').map(Number);

  async function connect(mode?: string): Promise<BoxClient> {
    const client = await BoxClient.connect({ home, supervisor: command(mode) });
    pids.add(client.supervisor.pid);
    return client;
  }

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'a3s-launch-'));
    home = join(parent, 'home');
  });

  afterEach(() => {
    for (const pid of existsSync(join(home, 'starts')) ? starts() : []) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
      }
    }
    rmSync(parent, { recursive: true });
  });

  it('makes the home and starts the supervisor in a session of its own', async () => {
    const client = await connect();
    assert.equal(statSync(home).mode & 0o777, 0o700);
    assert.equal(statSync(join(home, 'supervisor.log')).mode & 0o777, 0o600);
    assert.notEqual(client.supervisor.pid, process.pid);
    const stat = readFileSync(`/proc/${client.supervisor.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    assert.equal(Number(stat[3]), client.supervisor.pid, 'it leads its session');
    client.close();
  });

  it('uses the supervisor that runs', async () => {
    const first = await connect();
    const second = await connect();
    assert.equal(second.supervisor.pid, first.supervisor.pid);
    assert.equal(starts().length, 1);
    first.close();
    second.close();
  });

  it('ends with one supervisor when eight clients start it at once', async function () {
    this.timeout(30_000);
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect()));
    assert.equal(new Set(clients.map((client) => client.supervisor.pid)).size, 1);
    assert.ok(starts().length > 1, 'there was a race');
    for (const client of clients) client.close();
  });

  it('takes the place of a supervisor that was killed', async () => {
    const first = await connect();
    process.kill(first.supervisor.pid, 'SIGKILL');
    await assert.rejects(first.wait('x'), { code: 'SUPERVISOR_UNREACHABLE' });
    first.close();
    const second = await connect();
    assert.notEqual(second.supervisor.pid, first.supervisor.pid);
    second.close();
  });

  it('tells what a supervisor wrote that died at its start', async () => {
    await assert.rejects(connect('dies'), (error: unknown) => {
      assert.ok(isBoxError(error));
      assert.equal(error.code, 'SUPERVISOR_UNREACHABLE');
      assert.match(error.message, /no memory for the supervisor/);
      assert.match(error.hint ?? '', /supervisor\.log/);
      return true;
    });
  });

  it('passes on the error that a supervisor reports', async () => {
    await assert.rejects(connect('refuses'), {
      code: 'ASSETS_MISSING',
      message: 'the kernel is missing',
      hint: 'run npm run build',
    });
  });

  it('refuses a program that reports something else', async () => {
    await assert.rejects(connect('babbles'), { code: 'SUPERVISOR_UNREACHABLE', message: /not JSON: hello/ });
  });

  it('says which program it could not start', async () => {
    const supervisor = { command: ['/no/such/supervisor'] };
    await assert.rejects(BoxClient.connect({ home, supervisor }), {
      code: 'SUPERVISOR_UNREACHABLE',
      message: /\/no\/such\/supervisor ENOENT/,
    });
  });

  it('stops waiting when it is told to', async () => {
    const controller = new AbortController();
    const connecting = BoxClient.connect({ home, supervisor: command('mute'), signal: controller.signal });
    controller.abort();
    await assert.rejects(connecting, { code: 'CANCELLED' });
  });

  it('starts nothing and makes nothing without a command', async () => {
    await assert.rejects(BoxClient.connect({ home }), { code: 'SUPERVISOR_UNREACHABLE' });
    assert.equal(existsSync(home), false);
  });

  it('is told of a supervisor that speaks another protocol', async () => {
    mkdirSync(join(home, 'run'), { recursive: true, mode: 0o700 });
    const older = createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('SSH-2.0-other\r\n'),
    );
    older.listen(join(home, 'run/supervisor.sock'));
    await once(older, 'listening');
    await assert.rejects(BoxClient.connect({ home }), { code: 'SUPERVISOR_UNREACHABLE' });
    older.close();
  });
});

describe('homes', () => {
  let parent: string;
  const supervisor = { command: ['/bin/false'] };

  beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'a3s-home-'))));
  afterEach(() => rmSync(parent, { recursive: true }));

  it('are refused when their path is too long for sockets', async () => {
    const home = join(parent, 'x'.repeat(80));
    await assert.rejects(BoxClient.connect({ home, supervisor }), {
      code: 'HOME_UNUSABLE',
      hint: /at most \d\d bytes/,
    });
    assert.equal(existsSync(home), false);
  });

  it('are refused when they are no directory', async () => {
    const home = join(parent, 'file');
    writeFileSync(home, '');
    await assert.rejects(BoxClient.connect({ home, supervisor }), { code: 'HOME_UNUSABLE' });
    await assert.rejects(BoxClient.connect({ home: join(home, 'below'), supervisor }), { code: 'HOME_UNUSABLE' });
  });

  it('are refused when others have access and something is in them', async () => {
    chmodSync(parent, 0o755);
    writeFileSync(join(parent, 'file'), '');
    await assert.rejects(BoxClient.connect({ home: parent, supervisor }), { code: 'HOME_UNUSABLE', hint: /chmod 700/ });
    assert.equal(statSync(parent).mode & 0o777, 0o755);
  });

  it('are closed to others when they are empty', async () => {
    chmodSync(parent, 0o755);
    await assert.rejects(BoxClient.connect({ home: parent, supervisor }), { code: 'SUPERVISOR_UNREACHABLE' });
    assert.equal(statSync(parent).mode & 0o777, 0o700);
  });

  it('are refused when they belong to another user', async function () {
    if (process.getuid?.() !== 0) return this.skip();
    const { chownSync } = await import('node:fs');
    chownSync(parent, 12345, 12345);
    await assert.rejects(BoxClient.connect({ home: parent, supervisor }), {
      code: 'HOME_UNUSABLE',
      message: /belongs to user 12345/,
    });
  });
});

describe('a supervisor older than the client', () => {
  it('is refused by version, not by what it lacks', async () => {
    // Older than every version of the protocol.
    const home = mkdtempSync(join(tmpdir(), 'a3s-old-'));
    const fake = new FakeSupervisor({ home, withoutHello: true });
    await fake.listen();
    await assert.rejects(BoxClient.connect({ home }), { code: 'SUPERVISOR_INCOMPATIBLE', hint: /started anew/ });
    await fake.close();
    rmSync(home, { recursive: true });
  });
});
