import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import type { VmRecord } from '@a3s-box/core';
import { bootProbe, type BootProbeOptions } from '@a3s-box/vmm';
import { findQemu } from '../dist/qemu-binary.js';
import { startVm } from '../dist/vm-start.js';
import { probeBoot } from './test-hypervisor.ts';
import { MIB, VmScope } from './vm-scope.ts';

const AS_ROOT = process.getuid?.() === 0;
const script = join(import.meta.dirname, 'create-and-die.ts');

describe('the qemu backend and its host', function () {
  this.timeout(90_000);
  let scope: VmScope;
  beforeEach(() => {
    scope = new VmScope();
  });
  afterEach(() => scope.dispose());

  it('adopts the VM of a host process that was killed, with its console and its end', async () => {
    const spec = await scope.spec();
    const host = spawn(process.execPath, [script, scope.home, JSON.stringify(spec)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(host.stdout, 'data')) as [Buffer];
    host.kill('SIGKILL');
    await once(host, 'close');
    const record = JSON.parse(line.toString()) as VmRecord;
    const vm = scope.keep(await scope.hypervisor.adopt(record, { signal: scope.signal }));
    using guest = await scope.guest(vm);
    assert.equal(await guest.ask('ping adopted'), 'pong adopted');
    assert.match(await vm.consoleTail(16 * 1024), /contract guest: up/);
    guest.tell('poweroff');
    assert.deepEqual(await vm.exited, { kind: 'powered-off' });
  });

  it('tells the end of a VMM that the host’s kernel killed for lack of memory', async function () {
    const group = `/sys/fs/cgroup/memory/a3s-box-test-${process.pid}`;
    if (!AS_ROOT || !existsSync('/sys/fs/cgroup/memory/tasks')) this.skip();
    const vm = await scope.start({ paused: true });
    mkdirSync(group);
    try {
      writeFileSync(join(group, 'memory.limit_in_bytes'), String(16 * MIB));
      writeFileSync(join(group, 'cgroup.procs'), String(vm.vmm.pid));
      await vm.resume({ signal: scope.signal });
      const expected = { kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: true, requested: false };
      assert.deepEqual(await vm.exited, expected);
    } finally {
      rmdirSync(group);
    }
  });

  it('starts VMs for an ordinary user, confined alike', async function () {
    if (!AS_ROOT) this.skip();
    // A copy of what runs, where that user can read it.
    const place = mkdtempSync('/tmp/user-');
    try {
      chmodSync(place, 0o755);
      const result = runAsUser(place);
      assert.match(result, /"uid":12345/);
      assert.match(result, /"seccomp":"2"/);
      assert.match(result, /"noNewPrivs":"1"/);
      assert.match(result, /"capEff":"0000000000000000"/);
      assert.match(result, /"answer":"pong user"/);
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  describe('boot probe', () => {
    const start: BootProbeOptions['start'] = (spec, signal) => {
      const binary = findQemu();
      assert.ok(binary);
      const accelerator = { kind: 'tcg', tscKhz: 1_000_000 } as const;
      return startVm(spec, { binary, accelerator, fingerprint: 'test' }, signal);
    };
    const options = { start, signal: new AbortController().signal };

    it('finds nothing wrong where a guest starts', async () => {
      const assets = await probeBoot(scope.home);
      assert.equal(await bootProbe({ ...options, assets, directory: scope.home }), undefined);
    });

    it('gives up on a guest that gets nowhere', async () => {
      // The contract kit's guest never ends by itself.
      const assets = await scope.boot();
      const failure = await bootProbe({ ...options, assets, directory: scope.home, limitMs: 300 });
      assert.match(failure ?? '', /did not start within 0.3 s/);
    });

    it('tells a guest that ends without a word', async () => {
      const boot = await probeBoot(scope.home);
      const empty = join(scope.home, 'empty.cpio');
      writeFileSync(empty, '');
      const assets = { ...boot, initramfs: empty };
      assert.match((await bootProbe({ ...options, assets, directory: scope.home })) ?? '', /failed/);
    });
  });
});

/** What takes most of the room in node_modules and runs in no VMM's host. */
const DEVELOPERS_TOOLS =
  /node_modules\/(typescript|@typescript|oxlint|@oxlint|dprint|@octokit|nx|@nx|esbuild|@esbuild|prettier|lerna|@bufbuild\/buf)|superradcompany\/.*(bin|\.node)$/;

/** Runs create-as-user.ts as user 12345 in a copy of the packages. @returns its last line */
function runAsUser(place: string): string {
  const root = join(import.meta.dirname, '..', '..', '..');
  const packages = ['core', 'native', 'backends/vmm', 'backends/qemu', 'test/contract/hypervisor'];
  for (const name of packages) {
    for (const part of ['dist', 'build/Release', 'build/contract-guest', 'package.json']) {
      const from = join(root, name, part);
      if (existsSync(from)) cpSync(from, join(place, name, part), { recursive: true, preserveTimestamps: true });
    }
  }
  const test = join(place, 'backends/qemu/test');
  cpSync(import.meta.dirname, test, { recursive: true });
  const guest = 'test/contract/hypervisor/guest';
  cpSync(join(root, guest), join(place, guest), { recursive: true, preserveTimestamps: true });
  cpSync(join(root, 'node_modules'), join(place, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !DEVELOPERS_TOOLS.test(path),
  });
  const node = join(place, 'node');
  cpSync(process.execPath, node);
  const home = join(place, 'home');
  mkdirSync(home, { mode: 0o700 });
  chownSync(home, 12345, 12345);
  const command = ['--reuid=12345', '--regid=12345', '--clear-groups', '--inh-caps=-all', node];
  return execFileSync('/usr/bin/setpriv', [...command, join(test, 'create-as-user.ts'), home], {
    encoding: 'utf8',
    env: { TMPDIR: home, PATH: '/usr/bin:/bin' },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
