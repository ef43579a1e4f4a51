import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProbeCache } from '@a3s-box/vmm';
import { AccelerationProbe, type AccelerationProbeOptions } from '../dist/index.js';
import { findForeignQemu, findQemu } from '../dist/qemu-binary.js';
import { needs, skip } from '../../../test/support/skip.ts';

const signal = new AbortController().signal;
const hasFlag = /^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'latin1'));

describe('acceleration probe', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'probe-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const probe = (changes: Partial<AccelerationProbeOptions> = {}): AccelerationProbe =>
    new AccelerationProbe({
      cache: new ProbeCache(directory),
      directory,
      probeAssets: () => assert.fail('a boot probe ran'),
      accelerator: 'tcg',
      ...changes,
    });

  it('runs guests by emulation, with the reason and the version', async () => {
    const { answer, machine } = await probe().probe({ signal });
    assert.equal(answer.usable, true);
    assert.equal(answer.acceleration, 'emulation');
    assert.equal(answer.accelerator, 'tcg');
    assert.match(answer.version ?? '', /^[0-9]+\.[0-9.]+$/);
    assert.ok(machine?.accelerator.kind === 'tcg' && machine.accelerator.tscKhz > 100_000);
  });

  it('has an answer of its own for guests with another processor', async function () {
    if (process.arch !== 'x64') skip(this, 'on this processor there are no foreign guests');
    needs(this, findForeignQemu() !== undefined, 'qemu-system-arm');
    const { answer, foreign } = await probe({ qemu: '/nonexistent/qemu' }).probe({ signal });
    assert.equal(answer.usable, false);
    const arm = answer.foreign?.arm64;
    assert.deepEqual([arm?.usable, arm?.acceleration, arm?.accelerator], [true, 'emulation', 'tcg']);
    assert.equal(arm?.capabilities.has('templates'), false);
    assert.equal(arm?.fingerprint, undefined);
    assert.deepEqual(foreign?.accelerator, { kind: 'foreign', architecture: 'arm64' });
  });

  it('emulates no other processor where KVM was asked for', async function () {
    if (process.arch !== 'x64') skip(this, 'on this processor there are no foreign guests');
    const { answer, foreign } = await probe({ accelerator: 'kvm', qemu: '/nonexistent/qemu' }).probe({ signal });
    assert.equal(answer.foreign?.arm64?.usable, false);
    assert.match(answer.foreign?.arm64?.reason ?? '', /kvm was asked for/);
    assert.equal(foreign, undefined);
  });

  it('does not try KVM on a CPU without virtualisation, and says so', async function () {
    if (hasFlag) this.skip();
    const { answer } = await probe({ accelerator: 'auto' }).probe({ signal });
    assert.equal(answer.acceleration, 'emulation');
    assert.match(answer.reason, /neither vmx nor svm/);
  });

  it('never replaces KVM by emulation where KVM was asked for', async function () {
    if (hasFlag) this.skip();
    const { answer, machine } = await probe({ accelerator: 'kvm' }).probe({ signal });
    assert.equal(answer.usable, false);
    assert.equal(answer.acceleration, 'none');
    assert.match(answer.reason, /kvm was asked for, but the CPU shows neither/);
    assert.equal(machine, undefined);
  });

  it('says how to get a QEMU that is not there', async () => {
    const { answer } = await probe({ qemu: '/nonexistent/qemu' }).probe({ signal });
    assert.equal(answer.usable, false);
    assert.match(answer.reason, /not installed \(Debian: apt install qemu-system-x86\)/);
  });

  it('asks an executable for its version once', async () => {
    const counted = join(directory, 'qemu');
    const runs = join(directory, 'runs');
    const real = findQemu()?.path ?? '';
    writeFileSync(counted, `#!/bin/sh\necho run >> ${runs}\nexec ${real} "$@"\n`);
    chmodSync(counted, 0o755);
    for (let round = 0; round < 3; round++) await probe({ qemu: counted }).probe({ signal });
    assert.equal(readFileSync(runs, 'utf8'), 'run\n');
  });

  it('is cancelled', async () => {
    await assert.rejects(probe().probe({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
  });
});

describe('probe cache', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'probe-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('keeps answers under their keys across processes', async () => {
    await new ProbeCache(directory).set('a', 'key', 1);
    await new ProbeCache(directory).set('b', 'key', 'two');
    const cache = new ProbeCache(directory);
    assert.deepEqual([cache.get('a', 'key'), cache.get('b', 'key')], [1, 'two']);
    assert.equal(cache.get('a', 'other key'), undefined);
    assert.equal(cache.get('c', 'key'), undefined);
  });

  it('starts anew when its file is damaged', async () => {
    writeFileSync(join(directory, 'probe-cache.json'), '{"a":');
    const cache = new ProbeCache(directory);
    assert.equal(cache.get('a', 'key'), undefined);
    await cache.set('a', 'key', 1);
    assert.equal(cache.get('a', 'key'), 1);
  });
});
