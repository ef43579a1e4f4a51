import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { platformOf } from '@a3s-box/core';
import { whpxSystem, WHPX_CAPABILITIES } from '../dist/index.js';
import { windowsMachine } from './recorded-whpx.ts';

const root = join(import.meta.dirname, '../../..');

describe('what keeps libkrun-whpx from running guests', () => {
  const obstacle = (changes: Partial<ReturnType<typeof windowsMachine>>): string | undefined =>
    whpxSystem(undefined, { ...windowsMachine(), ...changes }).obstacle();

  it('is nothing on a Windows with all that it needs', () => assert.equal(obstacle({}), undefined));

  it('is another system', () => {
    for (const platform of ['linux-x64', 'win32-arm64']) assert.match(obstacle({ platform }) ?? '', /x86-64 only/);
  });

  it('is a feature that is not switched on, with how to switch it on', () => {
    const told = obstacle({ virtualisation: () => ({ kind: 'switched-off' }) }) ?? '';
    assert.match(told, /-FeatureName HypervisorPlatform/);
    assert.doesNotMatch(told, /WSL|Subsystem/);
  });

  it('is a launcher that is not there', () => {
    assert.match(obstacle({ launcher: () => undefined }) ?? '', /a3s-box-krun is not there/);
  });

  it('is no krun.dll', () => {
    const missing = { ...windowsMachine(), probeLibkrun: () => ({ kind: 'missing', searched: ['C:\\krun'] }) as const };
    const found = whpxSystem(undefined, missing).findLibkrun();
    assert.ok('obstacle' in found);
    assert.match(found.obstacle, /looked in C:\\krun .*krun\.dll/);
  });
});

describe('a machine on Windows', () => {
  it('has one processor, unless the system says that it takes more', () => {
    const vcpus = (maxVcpus?: number): number => {
      const probe = { kind: 'usable', ...(maxVcpus !== undefined && { maxVcpus }) } as const;
      return whpxSystem(undefined, { ...windowsMachine(), virtualisation: () => probe }).maxVcpus();
    };
    assert.equal(vcpus(), 1);
    assert.equal(vcpus(4), 4);
  });

  it('is neither paused nor cloned, and has neither a card nor a share', () => {
    assert.deepEqual([...WHPX_CAPABILITIES].sort(), ['tsi', 'vmdk-disk']);
  });

  it('has named pipes that the launcher accepts as paths', () => {
    const schema = JSON.parse(readFileSync(join(root, 'native/launcher/krun/document.schema.json'), 'utf8')) as {
      $defs: { path: { pattern: string } };
    };
    const pipe = platformOf('win32').endpoint(
      'C:\\Users\\me\\AppData\\Local\\a3s-box\\run\\0123456789ab\\vm\\agent.sock',
    );
    assert.match(pipe, /^\\\\\.\\pipe\\a3s-box-[0-9a-f]{32}-agent$/);
    assert.match(pipe, new RegExp(schema.$defs.path.pattern, 'u'));
  });
});
