import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KrunDocument, KrunStatus } from '../dist/index.js';
import { buildRecordingLibkrun } from '../recording-libkrun/build.ts';
import { crossBuild, crossCompiler, type CrossTarget } from '../scripts/cross.ts';

const SYSROOT = '/usr/aarch64-linux-gnu';
const QEMU = '/usr/bin/qemu-aarch64-static';
const WINE = '/usr/lib/wine/wine64';
const WINESERVER = '/usr/lib/wine/wineserver64';
const MACHO_64 = 0xfeedfacf;
const CPU_ARM64 = 0x0100000c;

describe('a3s-box-krun for other systems', function () {
  this.timeout(300_000);
  let directory: string;

  before(() => {
    directory = mkdtempSync('/tmp/krun-cross-');
    chmodSync(directory, 0o777);
    for (const name of ['kernel', 'initramfs', 'root']) {
      // The recording libkrun looks whether a kernel is an ELF file.
      writeFileSync(join(directory, name), name === 'kernel' ? '\x7fELF' : name);
      chmodSync(join(directory, name), 0o666);
    }
  });
  after(() => rmSync(directory, { recursive: true }));

  function build(context: Mocha.Context, target: CrossTarget): { launcher: string; library: string } {
    const compiler = crossCompiler(target);
    if (compiler === undefined) context.skip();
    const launcher = crossBuild(target, directory);
    chmodSync(dirname(launcher), 0o777);
    const library = buildRecordingLibkrun(dirname(launcher), compiler);
    return { launcher, library };
  }

  /** @param path turns a path of this system into one of the other's */
  function document(library: string, path: (name: string) => string, socket: string): KrunDocument {
    const file = (name: string): string => path(join(directory, name));
    return {
      version: 1,
      library: path(library),
      logLevel: 'error',
      machine: { vcpus: 1, memoryMiB: 256, nested: false },
      kernel: { path: file('kernel'), format: 'elf', initramfs: file('initramfs'), commandLine: 'quiet' },
      disks: [{ id: 'root', path: file('root'), format: 'raw', readOnly: true, sync: 'none' }],
      vsock: { tsi: { ports: [{ host: 8080, guest: 80 }] }, ports: [{ port: 1024, path: socket, listen: true }] },
      network: null,
      shares: [],
      console: file('console'),
      descriptors: [],
    };
  }

  interface Run {
    readonly status: readonly KrunStatus[];
    readonly stderr: string;
    readonly code: number | null;
  }

  /** Runs a launcher, told to read the document from standard input and to write its status to standard output. */
  function run(command: readonly string[], input: string, environment: Readonly<Record<string, string>>): Run {
    const [program = '', ...parameters] = command;
    const env = { PATH: '/usr/bin:/bin', A3S_RECORDING_LIBKRUN_EXIT: '9', ...environment };
    const { stdout, stderr, status } = spawnSync(program, parameters, { input, env, encoding: 'utf8' });
    const lines = stdout.split(/\r?\n/).filter((line) => line !== '');
    return { status: lines.map((line) => JSON.parse(line) as KrunStatus), stderr, code: status };
  }

  const EXPECTED = [
    ...[
      'krun_has_feature',
      'krun_init_log',
      'krun_create_ctx',
      'krun_set_vm_config',
      'krun_set_kernel',
      'krun_add_disk3',
    ],
    ...['krun_disable_implicit_vsock', 'krun_add_vsock', 'krun_set_port_map', 'krun_add_vsock_port2'],
    ...['krun_set_console_output', 'krun_start_enter'],
  ];
  const calls = (log: string): string[] =>
    readFileSync(log, 'utf8')
      .split(/\r?\n/)
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { call: string }).call);
  const steps = (status: readonly KrunStatus[]): unknown[] =>
    status.map(({ step, subject, errno }) => [step, subject, errno]);
  const asUser = (): string[] =>
    process.getuid?.() === 0
      ? ['/usr/bin/setpriv', '--reuid=12345', '--regid=12345', '--clear-groups', '--inh-caps=-all']
      : [];

  it('runs on arm64 Linux, under qemu-user', function () {
    if (!existsSync(QEMU) || !existsSync(SYSROOT)) this.skip();
    const { launcher, library } = build(this, 'linux-arm64');
    const log = join(directory, 'arm64.log');
    const command = [...asUser(), QEMU, '-L', SYSROOT, launcher, '0', '1'];
    const text = JSON.stringify(document(library, (path) => path, join(directory, 'agent.sock')));
    const { status, stderr, code } = run(command, text, { A3S_RECORDING_LIBKRUN_LOG: log });
    assert.deepEqual(
      status.map(({ step }) => step),
      ['entering', 'running'],
      stderr,
    );
    assert.equal(code, 9);
    assert.deepEqual(calls(log), EXPECTED);
    const refused = run(command, text.replace('"vcpus":1', '"vcpus":0'), {});
    assert.deepEqual(steps(refused.status), [['document', '/machine/vcpus', 0]]);
    const failing = run(command, text, { A3S_RECORDING_LIBKRUN_RESULTS: 'krun_set_kernel=-22' });
    assert.deepEqual(steps(failing.status), [['call', 'krun_set_kernel', 22]]);
  });

  it('runs on Windows, under wine, without the rights of an administrator', function () {
    if (!existsSync(WINE)) this.skip();
    const { launcher, library } = build(this, 'win32-x64');
    const windows = (path: string): string => `Z:${path.replaceAll('/', '\\')}`;
    const starter = join(directory, 'start-limited.exe');
    const source = join(import.meta.dirname, 'start-limited.c');
    execFileSync('x86_64-w64-mingw32-gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-static', '-o', starter, source]);
    const log = join(directory, 'windows.log');
    const wine = { WINEPREFIX: join(directory, 'wine'), WINEDEBUG: '-all', HOME: directory };
    const command = [WINE, starter, `${windows(launcher)} 0 1`];
    const text = JSON.stringify(document(library, windows, '\\\\.\\pipe\\agent'));
    const environment = { ...wine, A3S_RECORDING_LIBKRUN_LOG: windows(log) };
    try {
      const { status, stderr, code } = run(command, text, environment);
      assert.deepEqual(steps(status), [['entering', '', 0]], stderr);
      assert.equal(code, 9);
      assert.deepEqual(calls(log), EXPECTED);
      const refused = run(command, text.replace('"vcpus":1', '"vcpus":0'), environment);
      assert.deepEqual(steps(refused.status), [['document', '/machine/vcpus', 0]]);
      const failing = run(command, text, { ...wine, A3S_RECORDING_LIBKRUN_RESULTS: 'krun_set_kernel=-22' });
      assert.deepEqual(steps(failing.status), [['call', 'krun_set_kernel', 22]]);
      // Whom wine starts is an administrator.
      assert.deepEqual(steps(run([WINE, launcher, '0', '1'], text, environment).status), [['identity', '', 0]]);
    } finally {
      // It stays for a while otherwise.
      spawnSync(WINESERVER, ['-k'], { env: wine });
      spawnSync(WINESERVER, ['-w'], { env: wine });
    }
  });

  it('is compiled for arm64 macOS', function () {
    const { launcher, library } = build(this, 'darwin-arm64');
    for (const path of [launcher, library]) {
      const header = readFileSync(path).subarray(0, 8);
      assert.deepEqual([header.readUInt32LE(0), header.readUInt32LE(4)], [MACHO_64, CPU_ARM64]);
    }
  });
});
