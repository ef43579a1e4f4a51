import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  extractKernel,
  libkrunfwPath,
  libkrunPackagePath,
  probeLibkrun,
  probeVirtualisation,
  supportsInitramfs,
} from '../dist/index.js';
import { buildRecordingLibkrun, type Variation } from '../recording-libkrun/build.ts';

describe('what there is of libkrun', function () {
  this.timeout(60_000);
  let directory: string;
  const nowhere = { system: [], homebrew: [] };

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'libkrun-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  function build(folder: string, name: string, variations: readonly Variation[] = []): string {
    mkdirSync(join(directory, folder), { recursive: true });
    return buildRecordingLibkrun(join(directory, folder), { name, variations });
  }

  it('is what was given, then the system, then Homebrew, then the npm package', function () {
    const given = build('given', 'libkrun.so.1.17.4');
    const system = build('system', 'libkrun.so.1.18.0', ['WITH_VIRTIOFS3']);
    symlinkSync(system, join(directory, 'system', 'libkrun.so.1'));
    build('system', 'libkrun.so.1.9.0');
    const homebrew = build('homebrew', 'libkrun.so.1.17.0');
    const places = { system: ['/nonexistent', join(directory, 'system')], homebrew: [join(directory, 'homebrew')] };
    const common = { net: true, readOnlyShares: false };
    assert.deepEqual(probeLibkrun({ given, places }), {
      kind: 'usable',
      libkrun: { path: given, source: 'given', version: '1.17.4', ...common },
    });
    assert.deepEqual(probeLibkrun({ places }), {
      kind: 'usable',
      libkrun: { path: system, source: 'system', version: '1.18.0', ...common, readOnlyShares: true },
    });
    assert.deepEqual(probeLibkrun({ places: { ...places, system: [] } }), {
      kind: 'usable',
      libkrun: { path: homebrew, source: 'homebrew', version: '1.17.0', ...common },
    });
    const path = libkrunPackagePath();
    if (path === undefined) this.skip();
    assert.deepEqual(probeLibkrun({ places: nowhere }), {
      kind: 'usable',
      libkrun: { path, source: 'package', version: '1.17.4', ...common },
    });
  });

  it('is missing, whatever else there is, when what was given is not there', () => {
    assert.deepEqual(probeLibkrun({ given: '/nonexistent/libkrun.so' }), {
      kind: 'missing',
      searched: ['/nonexistent/libkrun.so'],
    });
  });

  it('is unloadable, with the reason of the loader', () => {
    const path = join(directory, 'libkrun.so');
    writeFileSync(path, 'no library');
    const probe = probeLibkrun({ given: path });
    assert.ok(probe.kind === 'unloadable');
    assert.match(probe.reason, /file too short|invalid ELF header/);
  });

  it('is too old without a function that is needed, and says which', () => {
    const given = build('old', 'libkrun.so.1.8.0', ['WITHOUT_SET_KERNEL']);
    assert.deepEqual(probeLibkrun({ given }), {
      kind: 'too-old',
      path: given,
      version: '1.8.0',
      missing: ['krun_set_kernel'],
    });
  });

  it('lacks block devices, or network cards where they are needed', () => {
    const blk = build('lesser', 'libkrun.so.1', ['WITHOUT_BLK']);
    assert.deepEqual(probeLibkrun({ given: blk }), { kind: 'without-feature', path: blk, feature: 'BLK' });
    const net = build('lesser', 'libkrun.so.2', ['WITHOUT_NET']);
    assert.deepEqual(probeLibkrun({ given: net, needsNet: true }), {
      kind: 'without-feature',
      path: net,
      feature: 'NET',
    });
    const probe = probeLibkrun({ given: net });
    assert.ok(probe.kind === 'usable' && !probe.libkrun.net && probe.libkrun.version === undefined);
  });

  it('has a kernel that takes an initramfs, or has not', () => {
    const { image } = extractKernel(libkrunfwPath() ?? '');
    assert.ok(supportsInitramfs(image));
    // What a kernel built without it lacks. Its image is otherwise as large, and as full of strings.
    const without = Buffer.from(image);
    without.fill('x', without.indexOf('\0retain_initrd\0') + 1, without.indexOf('\0retain_initrd\0') + 4);
    assert.ok(!supportsInitramfs(without));
  });
});

describe('hardware virtualisation', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync('/tmp/kvm-');
    chmodSync(directory, 0o755);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const cpuinfo = 'flags\t\t: fpu svm sse';

  it('is not there without the device, or without the processor', function () {
    if (process.platform !== 'linux') this.skip();
    const device = join(directory, 'kvm');
    assert.deepEqual(probeVirtualisation({ device, cpuinfo }), { kind: 'no-device', device });
    writeFileSync(device, '');
    chmodSync(device, 0o666);
    if (process.arch !== 'x64') return;
    const probe = probeVirtualisation({ device, cpuinfo: 'flags\t\t: fpu sse\n' });
    assert.equal(probe.kind, 'no-hardware');
  });

  it('is not for those who may not open the device', function () {
    if (process.platform !== 'linux') this.skip();
    const device = join(directory, 'kvm');
    writeFileSync(device, '', { mode: 0o600 });
    chmodSync(device, 0o660);
    if (process.getuid?.() === 0) {
      // Root's machines run as another user, which the group of root is not opened to.
      assert.deepEqual(probeVirtualisation({ device, cpuinfo }), { kind: 'no-permission', device, group: 0 });
      chmodSync(device, 0o600);
      assert.deepEqual(probeVirtualisation({ device, cpuinfo }), { kind: 'no-permission', device });
      return;
    }
    chmodSync(device, 0);
    assert.deepEqual(probeVirtualisation({ device, cpuinfo }), { kind: 'no-permission', device });
  });

  it('is broken where the device is none', function () {
    if (process.platform !== 'linux') this.skip();
    const device = join(directory, 'kvm');
    writeFileSync(device, '');
    chmodSync(device, 0o666);
    const probe = probeVirtualisation({ device, cpuinfo });
    assert.ok(probe.kind === 'broken');
    assert.match(probe.reason, /ioctl/);
  });
});
