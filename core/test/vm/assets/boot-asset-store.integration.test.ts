import assert from 'node:assert/strict';
import { mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { libkrunfwPath, probeInitPath } from '@a3s-box/native';
import { BootAssetStore } from '../../../dist/vm/assets/boot-asset-store.js';

describe('boot assets', () => {
  const signal = new AbortController().signal;
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'assets-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('are an ELF kernel from libkrunfw and an uncompressed initramfs', async () => {
    const sources = { libkrunfw: libkrunfwPath(), init: probeInitPath() };
    const { kernel, initramfs } = await new BootAssetStore(directory, sources).boot({ signal });
    const head = Buffer.alloc(6);
    readSync(openSync(kernel, 'r'), head);
    assert.equal(head.subarray(0, 4).toString('latin1'), '\x7fELF');
    assert.ok(statSync(kernel).size > 10_000_000);
    readSync(openSync(initramfs, 'r'), head);
    assert.equal(head.toString('latin1'), '070701');
  });

  it('are missing where a package is not installed', async () => {
    const noKernel = new BootAssetStore(directory, { libkrunfw: undefined, init: probeInitPath() });
    await assert.rejects(noKernel.boot({ signal }), { code: 'ASSETS_MISSING' });
    const noInit = new BootAssetStore(directory, { libkrunfw: libkrunfwPath(), init: '/nonexistent/init' });
    await assert.rejects(noInit.boot({ signal }), { code: 'ASSETS_MISSING' });
  });

  it('are corrupt where a package is damaged', async () => {
    const file = join(directory, 'damaged');
    writeFileSync(file, 'neither library nor program');
    const noKernel = new BootAssetStore(directory, { libkrunfw: file, init: probeInitPath() });
    await assert.rejects(noKernel.boot({ signal }), { code: 'ASSETS_CORRUPT' });
    const noInit = new BootAssetStore(directory, { libkrunfw: libkrunfwPath(), init: file });
    await assert.rejects(noInit.boot({ signal }), { code: 'ASSETS_CORRUPT' });
  });
});
