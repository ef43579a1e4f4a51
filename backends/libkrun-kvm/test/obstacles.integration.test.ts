import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { libkrunfwPath, libkrunPackagePath } from '@a3s-box/native';
import { buildRecordingLibkrun, type Variation } from '../../../native/recording-libkrun/build.ts';
import { findLibkrun, kernelObstacle, kvmObstacle } from '../dist/obstacles.js';
import { kvmProbe } from './test-hypervisor.ts';

const signal = new AbortController().signal;

/** A library like libkrunfw whose kernel is a page of nothing. */
function withoutInitramfs(directory: string): string {
  const source = join(directory, 'krunfw.c');
  const library = join(directory, 'libkrunfw.so.5');
  const body = [
    '#include <stddef.h>',
    '#include <stdint.h>',
    'static char kernel[4096];',
    'char *krunfw_get_kernel(uint64_t *load, uint64_t *entry, size_t *size) {',
    '  *load = *entry = 0x1000000;',
    '  *size = sizeof kernel;',
    '  return kernel;',
    '}',
    'int krunfw_get_version(void) { return 5; }',
  ];
  writeFileSync(source, body.join('\n'));
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, source]);
  return library;
}

describe('what keeps libkrun-kvm from running guests', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'lk-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  const recording = (variation: Variation): string => {
    return buildRecordingLibkrun(directory, { variations: [variation], name: `${variation}.so.1.17.4` });
  };
  const obstacleOf = (path: string): string => {
    const found = findLibkrun(path);
    assert.ok('obstacle' in found, 'it can be used');
    return found.obstacle;
  };

  it('nothing, with the libkrun from the registry', () => {
    const found = findLibkrun(libkrunPackagePath());
    assert.ok('libkrun' in found, JSON.stringify(found));
    assert.equal(found.libkrun.version, '1.17.4');
    assert.equal(kernelObstacle(libkrunfwPath()), undefined);
  });

  it('a libkrun that is not there', () => {
    const obstacle = obstacleOf('/nonexistent/libkrun.so');
    assert.match(obstacle, /libkrun is not there: looked in \/nonexistent\/libkrun\.so \(install libkrun 1\.17/);
  });

  it('a libkrun that cannot be loaded', () => {
    const path = join(directory, 'libkrun.so.1');
    writeFileSync(path, 'this is no library');
    assert.match(
      obstacleOf(path),
      /cannot be loaded: .*(invalid ELF header|file too short) \(Debian: apt install libcap-ng0\)/,
    );
  });

  it('a libkrun that is too old', () => {
    const obstacle = obstacleOf(recording('WITHOUT_SET_KERNEL'));
    assert.match(obstacle, /\(version 1\.17\.4\) is too old: it has no krun_set_kernel \(install libkrun 1\.17/);
  });

  for (const feature of ['BLK', 'NET'] as const) {
    it(`a libkrun without ${feature}`, () => {
      const obstacle = obstacleOf(recording(`WITHOUT_${feature}`));
      assert.match(obstacle, new RegExp(`was built without ${feature} \\(install a libkrun`));
    });
  }

  it('a kernel that takes no initramfs, or none', () => {
    assert.match(kernelObstacle(undefined) ?? '', /no libkrunfw to take a kernel from \(run npm install/);
    assert.match(kernelObstacle(withoutInitramfs(directory)) ?? '', /takes no initramfs \(use one .*BLK_DEV_INITRD/);
  });

  it('a KVM device that the VMM’s user may not open, or none', () => {
    const device = '/dev/kvm';
    const closed = kvmObstacle({ kind: 'no-permission', device, group: 36 }) ?? '';
    assert.match(closed, /cannot be opened by the user that a VMM runs as .*(chgrp kvm|usermod -aG kvm)/);
    assert.match(kvmObstacle({ kind: 'no-device', device }) ?? '', /is not there \(load the module/);
  });

  it('is told by the probe, which does not throw', async () => {
    const cpuinfo = 'flags : svm';
    const device = join(directory, 'closed');
    writeFileSync(device, '');
    chmodSync(device, process.getuid?.() === 0 ? 0o600 : 0o000);
    const { answer, machine } = await kvmProbe(directory, { kvm: { device, cpuinfo } }).probe({ signal });
    assert.equal(answer.usable, false);
    assert.equal(answer.acceleration, 'none');
    assert.equal(answer.version, '1.17.4');
    assert.match(answer.reason, /closed cannot be opened/);
    assert.equal(machine, undefined);
    const absent = await kvmProbe(directory, { libkrun: '/nonexistent/libkrun.so' }).probe({ signal });
    assert.match(absent.answer.reason, /libkrun is not there/);
  });
});
