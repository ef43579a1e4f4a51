import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BoxClient, isBoxError, type Attachment, type BoxSpec } from '../../dist/client/index.js';
import { SUPERVISOR_PROTOCOL_MINOR } from '../../dist/client/protocol-version.js';
import { FakeSupervisor } from './fake-supervisor.ts';

function spec(command: string[], more: Partial<BoxSpec> = {}): BoxSpec {
  const environment = [`PATH=${process.env['PATH']}`];
  return {
    image: 'x',
    command,
    environment,
    terminal: false,
    stdinOpen: false,
    autoRemove: false,
    labels: {},
    ...more,
  };
}

async function read(attachment: Attachment): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for await (const { stream, data } of attachment.output) text[stream] += data.toString();
  return text;
}

/** Memory of buffers, looked at every 4 MB. Collectors free it late, so the least of the second half's looks counts. */
function memoryWatch(total: number) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let next = total / 2;
  return {
    mib: Infinity,
    look(length: number) {
      if (length < next) return;
      next += 4_000_000;
      collect();
      this.mib = Math.min(this.mib, process.memoryUsage().arrayBuffers / 1024 / 1024);
    },
  };
}

describe('BoxClient', () => {
  let home: string;
  let fake: FakeSupervisor;
  let client: BoxClient;

  async function run(boxSpec: BoxSpec, signal?: AbortSignal): Promise<Attachment> {
    const { id } = await client.create(boxSpec);
    const attachment = await client.attach(id, { stdin: boxSpec.stdinOpen, ...(signal && { signal }) });
    await client.start(id);
    return attachment;
  }

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'a3s-client-'));
    fake = new FakeSupervisor({ home, notices: ['said once'] });
    await fake.listen();
    client = await BoxClient.connect({ home });
  });

  afterEach(async () => {
    client.close();
    await fake.close();
    rmSync(home, { recursive: true });
  });

  it('knows the supervisor that it speaks to', () => {
    assert.deepEqual(client.supervisor, { pid: process.pid, version: '9.8.7', home });
    assert.equal(fake.requests[0]?.method, 'hello');
  });

  it('says its own version at hello', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(fake.requests[0]?.request, {
      protocolMinor: SUPERVISOR_PROTOCOL_MINOR,
      version,
      distribution: '',
    });
  });

  it('keeps the two output streams apart and tells how the process ended', async () => {
    const attachment = await run(spec(['sh', '-c', 'echo out; echo err >&2; exit 7']));
    assert.deepEqual(await read(attachment), { stdout: 'out\n', stderr: 'err\n' });
    assert.deepEqual(await attachment.exited, {
      known: true,
      code: 7,
      outOfMemory: false,
      timedOut: false,
      timeNs: 77n,
    });
  });

  it('hands over every field of a spec and reads it back', async () => {
    const whole = spec(['a', 'b'], {
      name: 'web',
      entrypoint: [],
      environment: ['A=1', 'B='],
      workingDirectory: '/w',
      user: '1:2',
      hostname: 'h',
      terminal: true,
      terminalSize: { columns: 80, rows: 24 },
      stdinOpen: true,
      nanoCpus: 1_500_000_000,
      memoryBytes: 268_435_456,
      autoRemove: true,
      timeoutMs: 1500,
      backend: 'qemu',
      labels: { k: 'v' },
      stopSignal: 'SIGINT',
    });
    const created = await client.create(whole);
    assert.match(created.id, /^[0-9a-f]{64}$/);
    assert.deepEqual(created.notices, ['said once']);
    const record = await client.inspect('web');
    assert.deepEqual(record.spec, whole);
    assert.ok(Math.abs(record.created.getTime() - Date.now()) < 60_000, 'it was created a moment ago');
    assert.equal(record.exit, undefined);
    assert.deepEqual(
      (await client.list({ all: true })).map(({ id }) => id),
      [created.id],
    );
  });

  it('carries 100 MB through stdin and back whole, in bounded memory', async function () {
    this.timeout(120_000);
    const attachment = await run(spec(['cat'], { stdinOpen: true }));
    const block = randomBytes(1024 * 1024);
    const sent = createHash('sha256');
    const received = createHash('sha256');
    const most = memoryWatch(100 * block.length);
    const feed = async () => {
      for (let i = 0; i < 100; i++) {
        sent.update(block);
        if (!attachment.stdin.write(block)) await new Promise((resolve) => attachment.stdin.once('drain', resolve));
      }
      attachment.stdin.end();
    };
    const drain = async () => {
      let length = 0;
      for await (const { data } of attachment.output) {
        received.update(data);
        length += data.length;
        most.look(length);
      }
      return length;
    };
    const [, length] = await Promise.all([feed(), drain()]);
    assert.equal(length, 100 * block.length);
    assert.equal(received.digest('hex'), sent.digest('hex'));
    assert.ok(most.mib < 16, `${most.mib.toFixed(1)} MiB are held, by client and fake supervisor together`);
  });

  it('takes stdin no faster than the process does', async () => {
    const gate = Promise.withResolvers<void>();
    fake.holdStdin = gate.promise;
    const attachment = await run(spec(['sh', '-c', 'wc -c'], { stdinOpen: true }));
    let written = 0;
    const block = Buffer.alloc(64 * 1024);
    const feed = async () => {
      for (let i = 0; i < 320; i++) {
        const { promise, resolve } = Promise.withResolvers<void>();
        attachment.stdin.write(block, () => resolve());
        await promise;
        written += block.length;
        if (written === stall) reached.resolve();
      }
      attachment.stdin.end();
    };
    const stall = 64 * 1024;
    const reached = Promise.withResolvers<void>();
    const feeding = feed();
    await reached.promise;
    // Round trips of other calls give the stalled stream every chance to take more.
    for (let i = 0; i < 200; i++) await client.inspect((await client.list())[0]!.id);
    assert.ok(written <= 4 * 1024 * 1024, `${written} bytes were taken by nobody`);
    gate.resolve();
    const [text] = await Promise.all([read(attachment), feeding]);
    assert.equal(text.stdout.trim(), String(320 * block.length));
  });

  it('lets the process write no faster than its output is read', async () => {
    const marker = join(home, 'wrote');
    const attachment = await run(spec(['sh', '-c', `head -c 50000000 /dev/zero; touch ${marker}; echo end`]));
    const output = attachment.output[Symbol.asyncIterator]();
    await output.next();
    for (let i = 0; i < 200; i++) await client.list();
    assert.throws(() => readFileSync(marker), { code: 'ENOENT' }, 'the process wrote all of it to nobody');
    let length = 0;
    for await (const { data } of attachment.output) length += data.length;
    assert.ok(length > 49_000_000);
    assert.equal((await attachment.exited).known, true);
  });

  it('destroys stdin when the process has ended', async () => {
    const attachment = await run(spec(['true'], { stdinOpen: true }));
    await read(attachment);
    await attachment.exited;
    assert.equal(attachment.stdin.destroyed, true);
  });

  it('refuses stdin that was not asked for', async () => {
    const attachment = await run(spec(['true']));
    const { promise, resolve } = Promise.withResolvers<unknown>();
    attachment.stdin.write('x', resolve);
    assert.equal(((await promise) as { code: string }).code, 'CONFLICT');
    await read(attachment);
  });

  it('runs, signals and resizes one more process', async () => {
    const { id } = await client.create(spec(['sleep', '60'], { name: 'web' }));
    await client.start(id);
    const execId = await client.exec('web', { command: ['sleep', '60'], environment: spec([]).environment });
    const attachment = await client.attach('web', { execId });
    await client.resize({ box: 'web', execId }, { columns: 10, rows: 5 });
    await client.signal({ box: 'web', execId }, 'SIGTERM');
    await read(attachment);
    const status = await attachment.exited;
    assert.equal(status.known && status.code, 143);
    const resize = fake.requests.find(({ method }) => method === 'resize');
    assert.deepEqual(resize?.request, { box: 'web', execId, size: { columns: 10, rows: 5 } });
  });

  it('rebuilds errors with code, message, hint and details', async () => {
    await assert.rejects(client.create(spec([], { image: 'missing' })), (error: unknown) => {
      assert.ok(isBoxError(error));
      assert.equal(error.code, 'IMAGE_NOT_FOUND');
      assert.equal(error.message, 'image "missing" is not here');
      assert.equal(error.hint, 'pull it');
      assert.deepEqual(error.details, { image: 1 });
      return true;
    });
    await assert.rejects(client.attach('nobody'), { code: 'NOT_FOUND', hint: 'list them' });
    await assert.rejects(run(spec(['/no/such/program'])), { code: 'COMMAND_NOT_FOUND', exitStatus: 127 });
  });

  it('refuses numbers that the protocol cannot carry', async () => {
    await assert.rejects(client.create(spec([], { memoryBytes: 1.5 })), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(client.create(spec([], { timeoutMs: -1 })), { code: 'INVALID_ARGUMENT' });
  });

  it('gives up a call, before and after it was sent', async () => {
    const { id } = await client.create(spec(['sleep', '60']));
    await client.start(id);
    await assert.rejects(client.wait(id, { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
    const controller = new AbortController();
    const waiting = client.wait(id, { signal: controller.signal });
    await client.list();
    controller.abort();
    await assert.rejects(waiting, { code: 'CANCELLED' });
  });

  it('closes an attachment twice without harm', async () => {
    const attachment = await run(spec(['sleep', '60']));
    attachment.close();
    attachment.close();
    await assert.rejects(attachment.exited, { code: 'CANCELLED' });
  });

  it('names the supervisor and its log when that goes away', async () => {
    const attachment = await run(spec(['sleep', '60']));
    const failed = assert.rejects(read(attachment), { code: 'SUPERVISOR_UNREACHABLE' });
    await fake.close();
    await failed;
    await assert.rejects(client.list(), (error: unknown) => {
      assert.ok(isBoxError(error));
      assert.equal(error.code, 'SUPERVISOR_UNREACHABLE');
      assert.match(error.hint ?? '', /supervisor\.log/);
      return true;
    });
  });

  it('tells of backends, plugins, images and spans in plain values', async () => {
    const info = await client.info();
    assert.equal(info.chosenBackend, 'qemu');
    assert.equal(info.backends[1]?.usable, false);
    assert.equal(info.backends[0]?.maxMemoryBytes, 9);
    assert.equal(info.plugins[0]?.state, 'active');
    const [image] = await client.images.list();
    assert.equal(image?.created?.toISOString(), '2024-01-02T03:04:05.000Z');
    assert.equal(image?.sizeBytes, 2_000_000);
    const { config, ...details } = await client.images.inspect('a3s/starter');
    assert.deepEqual(details, {
      ...image,
      diffIds: ['sha256:01'],
      history: [{ createdBy: 'make', sizeBytes: 7 }],
    });
    assert.deepEqual([config.cmd, config.env, config.labels], [['sh'], ['PATH=/bin'], { a: 'b' }]);
    assert.deepEqual(await client.trace('x'), [{ name: 'boot', process: 'kernel', startNs: 5n, endNs: 9n }]);
  });
});

describe('BoxClient and a supervisor of another version', () => {
  let home: string;

  beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'a3s-client-'))));
  afterEach(() => rmSync(home, { recursive: true }));

  it('does not end an older one that it could not replace', async () => {
    const fake = new FakeSupervisor({ home, protocolMinor: 0 });
    await fake.listen();
    await assert.rejects(BoxClient.connect({ home }), { code: 'SUPERVISOR_INCOMPATIBLE', message: /older/ });
    assert.ok(!fake.requests.some(({ method }) => method === 'stop'));
    await fake.close();
  });

  it('speaks to a newer one', async () => {
    const fake = new FakeSupervisor({ home, protocolMinor: SUPERVISOR_PROTOCOL_MINOR + 1 });
    await fake.listen();
    (await BoxClient.connect({ home })).close();
    await fake.close();
  });
});
