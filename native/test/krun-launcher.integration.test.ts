import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { libkrunPackagePath, type KrunDocument } from '../dist/index.js';
import { buildRecordingLibkrun } from '../recording-libkrun/build.ts';
import { WRONG_DOCUMENTS } from './krun-documents.ts';
import { LauncherFixture, type RecordedCall } from './krun-launcher.ts';

const EXIT_LAUNCHER = 125;

describe('a3s-box-krun', function () {
  this.timeout(60_000);
  let fixture: LauncherFixture;
  let library: string;

  before(() => {
    fixture = new LauncherFixture();
    library = buildRecordingLibkrun(fixture.directory);
  });
  after(() => fixture[Symbol.dispose]());
  afterEach(() => {
    for (const name of ['log', 'console']) rmSync(fixture.path(name), { force: true });
  });

  /** On Linux the launcher sees that the machine stands. */
  const STARTED = process.platform === 'linux' ? ['entering', 'running'] : ['entering'];
  const ending = { environment: { A3S_RECORDING_LIBKRUN_EXIT: '0' } };
  const contextOf = (calls: readonly RecordedCall[]): unknown[] =>
    calls.slice(1).map(({ call, arguments: values }) => [call, ...Object.values(values).slice(1)]);

  it('describes the machine to libkrun, whole and in order, and enters it', async () => {
    const { status, code, stderr } = await fixture.run(fixture.document(library), ending);
    assert.deepEqual(
      status.map(({ step, errno }) => [step, errno]),
      STARTED.map((step) => [step, 0]),
    );
    assert.equal(stderr, '');
    assert.equal(code, 0);
    const calls = fixture.calls();
    const configuration = calls.slice(calls.findIndex(({ call }) => call === 'krun_create_ctx'));
    assert.deepEqual(calls.slice(0, -configuration.length), [
      { call: 'krun_has_feature', arguments: { feature: 1 }, result: 1 },
      { call: 'krun_init_log', arguments: { target_fd: -1, level: 1, style: 2, options: 1 }, result: 0 },
    ]);
    assert.deepEqual(contextOf(configuration), [
      ['krun_set_vm_config', 2, 256],
      ['krun_set_kernel', fixture.path('kernel'), 1, fixture.path('initramfs'), 'quiet'],
      ['krun_add_disk3', 'root', fixture.path('root'), 0, true, false, 2],
      ['krun_add_disk3', 'scratch', fixture.path('scratch'), 2, false, false, 0],
      ['krun_disable_implicit_vsock'],
      ['krun_add_vsock', 0],
      ['krun_add_vsock_port2', 1024, fixture.path('agent.sock'), true],
      ['krun_set_console_output', fixture.path('console')],
      ['krun_start_enter'],
    ]);
    assert.ok(configuration.slice(1).every(({ arguments: values }) => values['ctx_id'] === configuration[0]?.result));
  });

  it('gives the guest impersonated sockets and the ports of the map, and no other', async () => {
    const base = fixture.document(library);
    const document = { ...base, vsock: { tsi: { ports: [{ host: 8080, guest: 80 }] }, ports: [] } };
    await fixture.run(document, ending);
    const calls = contextOf(fixture.calls());
    assert.ok(calls.some((call) => JSON.stringify(call) === '["krun_add_vsock",1]'));
    assert.ok(calls.some((call) => JSON.stringify(call) === '["krun_set_port_map",["8080:80"]]'));
    await fixture.run({ ...base, vsock: { tsi: { ports: [] }, ports: [] } }, ending);
    assert.ok(contextOf(fixture.calls()).some((call) => JSON.stringify(call) === '["krun_set_port_map",[]]'));
  });

  it('connects the network card by descriptor or by path', async () => {
    const base = fixture.document(library);
    const descriptor = openSync('/dev/null', 'r');
    const mac = '02:00:00:00:0a:ff';
    await fixture.run(
      { ...base, network: { socket: { descriptor: 5 }, mac } },
      { ...ending, descriptors: [descriptor] },
    );
    closeSync(descriptor);
    const calls = fixture.calls();
    assert.deepEqual(calls.find(({ call }) => call === 'krun_add_net_unixstream')?.arguments, {
      ...{ ctx_id: 0, c_path: null, fd: 5, c_mac: mac },
      ...{ features: 386, flags: 0 },
    });
    assert.ok(calls.some(({ call, arguments: { feature } }) => call === 'krun_has_feature' && feature === 0));
    await fixture.run({ ...base, network: { socket: { path: '/run/switch' }, mac } }, ending);
    const byPath = fixture.calls().find(({ call }) => call === 'krun_add_net_unixstream');
    assert.deepEqual([byPath?.arguments['c_path'], byPath?.arguments['fd']], ['/run/switch', -1]);
  });

  it('shares directories, read-only only where libkrun itself refuses writes', async () => {
    const share = { tag: 'share0', path: fixture.directory, windowMiB: 1 } as const;
    const document = (access: 'read-write' | 'read-only' | 'confined', of = library): KrunDocument => ({
      ...fixture.document(of),
      shares: [{ ...share, access }],
    });
    for (const access of ['read-write', 'confined'] as const) {
      await fixture.run(document(access), ending);
      const call = contextOf(fixture.calls()).find((words) => (words as string[])[0] === 'krun_add_virtiofs2');
      assert.deepEqual(call, ['krun_add_virtiofs2', 'share0', fixture.directory, 1048576]);
    }
    const { status } = await fixture.run(document('read-only'), ending);
    assert.deepEqual(
      status.map(({ step, subject }) => [step, subject]),
      [['symbol', 'krun_add_virtiofs3']],
    );
    const newer = buildRecordingLibkrun(fixture.directory, {
      variations: ['WITH_VIRTIOFS3'],
      name: 'libkrun.so.1.18.0',
    });
    await fixture.run(document('read-only', newer), ending);
    const call = contextOf(fixture.calls()).find((words) => (words as string[])[0] === 'krun_add_virtiofs3');
    assert.deepEqual(call, ['krun_add_virtiofs3', 'share0', fixture.directory, 1048576, true]);
  });

  it('asks for nested virtualisation only where the host has it', async () => {
    const base = fixture.document(library);
    const document = { ...base, machine: { ...base.machine, nested: true } };
    const run = async (results: string): Promise<unknown[]> => {
      const environment = { ...ending.environment, A3S_RECORDING_LIBKRUN_RESULTS: results };
      const { status } = await fixture.run(document, { environment });
      return status.map(({ step, subject, errno }) => [step, subject, errno]);
    };
    assert.deepEqual(
      await run('krun_check_nested_virt=1,krun_set_nested_virt=0'),
      STARTED.map((step) => [step, '', 0]),
    );
    assert.deepEqual(await run('krun_check_nested_virt=0'), [['feature', 'nested', 0]]);
    // As libkrun 1.17 on Linux answers.
    assert.deepEqual(await run(''), [['call', 'krun_set_nested_virt', 22]]);
  });

  const functions = [
    ...['krun_has_feature', 'krun_init_log', 'krun_create_ctx', 'krun_set_vm_config', 'krun_set_kernel'],
    ...['krun_add_disk3', 'krun_add_virtiofs2', 'krun_disable_implicit_vsock', 'krun_add_vsock'],
    ...['krun_set_port_map', 'krun_add_vsock_port2', 'krun_set_console_output', 'krun_start_enter'],
  ];
  for (const name of functions) {
    it(`names ${name} when it fails`, async () => {
      const base = fixture.document(library);
      const document: KrunDocument = {
        ...base,
        vsock: { ...base.vsock, tsi: { ports: [] } },
        shares: [{ tag: 'share0', path: '/srv', access: 'read-write', windowMiB: 0 }],
      };
      const environment = { A3S_RECORDING_LIBKRUN_RESULTS: `${name}=-12` };
      const { status, code } = await fixture.run(document, { environment });
      const last = status.at(-1);
      assert.deepEqual([last?.step, last?.subject, last?.errno], ['call', name, 12]);
      assert.match(last?.message ?? '', /Cannot allocate memory/);
      assert.equal(status.length, name === 'krun_start_enter' ? 2 : 1);
      assert.equal(code, EXIT_LAUNCHER);
      assert.equal(fixture.calls().at(-1)?.call, name);
    });
  }

  it('names krun_add_net_unixstream when it fails', async () => {
    const environment = { A3S_RECORDING_LIBKRUN_RESULTS: 'krun_add_net_unixstream=-22' };
    const network = { socket: { path: '/run/switch' }, mac: '02:00:00:00:00:01' };
    const { status } = await fixture.run({ ...fixture.document(library), network }, { environment });
    assert.deepEqual(
      status.map(({ step, subject, errno }) => [step, subject, errno]),
      [['call', 'krun_add_net_unixstream', 22]],
    );
  });

  it('tells what libkrun cannot do, or that there is none', async () => {
    const network = { socket: { path: '/run/switch' }, mac: '02:00:00:00:00:01' };
    const expected = [
      ['WITHOUT_SET_KERNEL', 'symbol', 'krun_set_kernel'],
      ['WITHOUT_BLK', 'feature', 'BLK'],
      ['WITHOUT_NET', 'feature', 'NET'],
    ] as const;
    for (const [variation, step, subject] of expected) {
      const name = `libkrun-${variation.toLowerCase()}.so`;
      const lesser = buildRecordingLibkrun(fixture.directory, { variations: [variation], name });
      const { status, code } = await fixture.run({ ...fixture.document(lesser), network });
      assert.deepEqual(
        status.map((line) => [line.step, line.subject]),
        [[step, subject]],
      );
      assert.match(status[0]?.message ?? '', new RegExp(`${name} (has no|was built without)`));
      assert.equal(code, EXIT_LAUNCHER);
    }
    for (const path of ['/nonexistent/libkrun.so', fixture.path('kernel')]) {
      const { status } = await fixture.run(fixture.document(path));
      assert.deepEqual(
        status.map(({ step, subject }) => [step, subject]),
        [['library', path]],
      );
    }
    const { status } = await fixture.run(fixture.document('/lib/x86_64-linux-gnu/libm.so.6'));
    assert.deepEqual(
      status.map(({ step, subject }) => [step, subject]),
      [['symbol', 'krun_has_feature']],
    );
  });

  it('refuses a document of the wrong schema by path, and loads no library for it', async () => {
    for (const [what, document, pointer] of WRONG_DOCUMENTS) {
      const { status, code } = await fixture.run(document);
      assert.deepEqual(
        status.map(({ step, subject }) => [step, subject]),
        [['document', pointer]],
        what,
      );
      assert.equal(code, EXIT_LAUNCHER);
    }
    assert.ok(!readdirSync(fixture.directory).includes('log'));
  });

  it('refuses a raw kernel on x86-64, where libkrun would leave its initramfs out', async function () {
    if (process.arch !== 'x64') this.skip();
    const base = fixture.document(library);
    const { status } = await fixture.run({ ...base, kernel: { ...base.kernel, format: 'raw' } });
    assert.deepEqual(
      status.map(({ step, subject }) => [step, subject]),
      [['document', '/kernel/format']],
    );
  });

  it('keeps the descriptors that the document names and closes all others', async () => {
    const extra = [
      openSync(fixture.path('kernel'), 'r'),
      openSync('/dev/zero', 'r'),
      openSync(fixture.path('root'), 'r'),
    ];
    const base = fixture.document(library);
    const document: KrunDocument = {
      ...base,
      kernel: { ...base.kernel, path: '/proc/self/fd/5' },
      disks: [{ id: 'root', path: '/proc/self/fd/7', format: 'raw', readOnly: true, sync: 'full' }],
    };
    const { child, status } = fixture.start(document, { descriptors: extra });
    const entered = watchFor(fixture.directory, 'agent.sock');
    for (const descriptor of extra) closeSync(descriptor);
    await entered;
    const open = readdirSync(`/proc/${child.pid}/fd`).map(Number);
    const beyond = open.filter((descriptor) => descriptor > 7);
    assert.deepEqual(
      open.filter((descriptor) => descriptor <= 7 && descriptor !== 3 && descriptor !== 6),
      [0, 1, 2, 4, 5, 7],
    );
    assert.ok(!targets(child.pid).includes('/dev/zero'));
    assert.ok(beyond.length <= 2, 'more than the console and the listener');
    child.kill('SIGKILL');
    assert.equal((await status).length, STARTED.length);
  });

  it('says which named descriptor is not open', async () => {
    const base = fixture.document(library);
    const { status } = await fixture.run({ ...base, console: '/proc/self/fd/99' }, ending);
    assert.deepEqual(
      status.map(({ step, errno }) => [step, errno]),
      [['descriptors', 9]],
    );
    assert.match(status[0]?.message ?? '', /descriptor 99/);
  });

  it('does not run as root', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const { status, code } = await fixture.run(fixture.document(library), { ...ending, asRoot: true });
    assert.deepEqual(
      status.map(({ step, errno }) => [step, errno]),
      [['identity', 1]],
    );
    assert.equal(code, EXIT_LAUNCHER);
  });

  it('leaves standard error to libkrun', async () => {
    const base = fixture.document(library);
    const disks = [{ ...base.disks[0], path: '/nonexistent' } as KrunDocument['disks'][0]];
    const { status, stderr } = await fixture.run({ ...base, disks }, ending);
    assert.deepEqual(
      status.map(({ step, errno }) => [step, errno]),
      [
        ['entering', 0],
        ['call', 22],
      ],
    );
    assert.match(stderr, /cannot open disk \/nonexistent/);
  });

  it('passes connections of the host on to the guest, until the machine ends', async () => {
    const control = createServer().listen(fixture.path('control'));
    const agent = createServer((socket) => socket.pipe(socket)).listen(fixture.path('agent'));
    execFileSync('chmod', ['a+rw', fixture.path('control'), fixture.path('agent')]);
    const { child, status } = fixture.start(fixture.document(library), {
      environment: {
        A3S_RECORDING_LIBKRUN_CONTROL: fixture.path('control'),
        A3S_RECORDING_LIBKRUN_AGENT: fixture.path('agent'),
      },
    });
    const [told] = (await once(control, 'connection')) as [Socket];
    const host = connect(fixture.path('agent.sock'));
    host.end('there and back');
    assert.equal(String(Buffer.concat((await host.toArray()) as Buffer[])), 'there and back');
    told.write('console Linux version 6\nexit 7\n');
    await once(child, 'close');
    assert.equal(child.exitCode, 7);
    assert.equal(readFileSync(fixture.path('console'), 'utf8'), 'Linux version 6\n');
    assert.equal((await status).length, STARTED.length);
    told.destroy();
    for (const server of [control, agent]) await new Promise((resolve) => server.close(resolve));
  });

  it('makes the calls that the real libkrun takes', async function () {
    const real = libkrunPackagePath();
    if (real === undefined) this.skip();
    const copy = fixture.path('real');
    mkdirSync(copy, { recursive: true });
    writeFileSync(join(copy, 'libkrun.so'), readFileSync(real));
    const environment = { ...ending.environment, A3S_RECORDING_LIBKRUN_REAL: join(copy, 'libkrun.so') };
    const share = { tag: 'share0', path: '/srv', access: 'read-write', windowMiB: 0 } as const;
    const base = fixture.document(library);
    const documents: KrunDocument[] = [
      { ...base, shares: [share] },
      { ...base, vsock: { ...base.vsock, tsi: { ports: [{ host: 8080, guest: 80 }] } } },
      { ...base, network: { socket: { path: '/run/switch' }, mac: '02:00:00:00:00:01' } },
    ];
    for (const document of documents) {
      await fixture.run(document, ending);
      const played = fixture.calls();
      // Without KVM, and with a kernel that is none, the real one does not start; all up to there it accepts.
      const { status } = await fixture.run(document, { environment });
      assert.deepEqual(fixture.calls(), played);
      assert.deepEqual(
        status.map(({ step, subject }) => [step, subject]),
        [
          ['entering', ''],
          ['call', 'krun_start_enter'],
        ],
      );
    }
  });
});

/** Resolves when a file of that name appears. */
async function watchFor(directory: string, name: string): Promise<void> {
  const watcher = watch(directory);
  try {
    while (!readdirSync(directory).includes(name)) await once(watcher, 'change');
  } finally {
    watcher.close();
  }
}

function targets(pid: number | undefined): string[] {
  return execFileSync('find', [`/proc/${pid}/fd`, '-printf', '%l\n'], { encoding: 'utf8' }).split('\n');
}
