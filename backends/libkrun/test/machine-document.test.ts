import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DiskImage, VmSpec } from '@a3s-box/core';
import { DescriptorTable } from '@a3s-box/vmm';
import { InheritedHandout } from '../dist/handout.js';
import { machineDocument } from '../dist/machine-document.js';

const FILES = {
  library: '/proc/self/fd/20',
  kernel: '/proc/self/fd/21',
  initramfs: '/proc/self/fd/22',
  console: '/proc/self/fd/23',
  agent: '/proc/self/fd/24',
  announcement: '/proc/self/fd/25',
};

describe('the launcher’s document', () => {
  let directory: string;
  let table: DescriptorTable;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'md-'));
    table = new DescriptorTable();
  });
  afterEach(() => {
    table[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  const image = (name: string, readOnly: boolean): DiskImage => {
    const path = join(directory, name);
    writeFileSync(path, 'x'.repeat(512));
    return { path, format: 'raw', readOnly };
  };
  const spec = (changes: Partial<VmSpec> = {}): VmSpec => ({
    id: 'web',
    directory,
    boot: { architecture: 'amd64', kernel: '/kernel', initramfs: '/initramfs' },
    shape: { vcpus: 2, memoryBytes: 256 * 2 ** 20, network: false, share: false },
    disks: {},
    ...changes,
  });
  const documentOf = (changes: Partial<VmSpec> = {}, files = {}, nested = false) =>
    machineDocument(spec(changes), {
      files: { ...FILES, ...files },
      handout: new InheritedHandout(table),
      kernelFormat: 'elf',
      nested,
    });

  it('has the shape, the agent’s port, and the one that the guest knocks at', () => {
    const { machine, vsock, network, disks, shares, descriptors } = documentOf();
    assert.deepEqual(machine, { vcpus: 2, memoryMiB: 256, nested: false });
    assert.deepEqual(vsock, {
      tsi: null,
      ports: [
        { port: 1024, path: FILES.agent, listen: true },
        { port: 1025, path: FILES.announcement, listen: false },
      ],
    });
    assert.deepEqual([network, disks, shares, descriptors], [null, [], [], []]);
  });

  it('lets guests run machines of their own where that is asked for', () => {
    assert.equal(documentOf({}, {}, true).machine.nested, true);
  });

  it('has the disks in the order of their slots, as inherited files', () => {
    const disks = { disk0: image('d', true), root: image('r', true), scratch: image('s', false) };
    const document = documentOf({ disks });
    assert.deepEqual(
      document.disks.map(({ id, format, readOnly, sync }) => [id, format, readOnly, sync]),
      [
        ['root', 'raw', true, 'none'],
        ['scratch', 'raw', false, 'relaxed'],
        ['disk0', 'raw', true, 'none'],
      ],
    );
    for (const { path } of document.disks) assert.match(path, /^\/proc\/self\/fd\/[0-9]+$/);
    assert.equal(table.inherited.length, 3);
  });

  it('holds a place for each empty slot before one that is not, by a disk of zeros', () => {
    const { disks, descriptors } = documentOf({ disks: { disk1: image('d', false) } });
    assert.deepEqual(
      disks.map(({ id }) => id),
      ['root', 'scratch', 'disk0', 'disk1'],
    );
    const zeros = new Set(disks.slice(0, 3).map(({ path, readOnly }) => `${path} ${readOnly}`));
    assert.equal(zeros.size, 1, 'one file for all');
    assert.equal(descriptors.length, 1);
  });

  it('names the extents of a VMDK beside its descriptor', () => {
    const extent = image('extent', true);
    const path = join(directory, 'disk.vmdk');
    writeFileSync(path, `# Disk DescriptorFile\nversion=1\nRW 1 FLAT "${extent.path}" 0\n`);
    const { disks, descriptors } = documentOf({
      disks: { root: { path, format: 'vmdk', readOnly: true, extents: [extent.path] } },
    });
    assert.equal(disks[0]?.format, 'vmdk');
    assert.equal(descriptors.length, 1);
    const copy = readFileSync(join(directory, 'root.vmdk'), 'utf8');
    assert.match(copy, new RegExp(`^RW 1 FLAT "/proc/self/fd/${descriptors[0]}" 0$`, 'm'));
  });

  it('refuses a VMDK that is to be written', () => {
    const disk = { ...image('r', false), format: 'vmdk', extents: [] } as const;
    assert.throws(() => documentOf({ disks: { root: disk } }), { code: 'UNSUPPORTED' });
  });

  it('has impersonated sockets or a card, as asked for', () => {
    const tsi = documentOf({ tsi: { ports: [{ hostPort: 8080, guestPort: 80 }] } });
    assert.deepEqual([tsi.vsock.tsi, tsi.network], [{ ports: [{ host: 8080, guest: 80 }] }, null]);
    const network = { socket: '/net.sock', mac: '02:00:00:00:00:01' };
    const card = documentOf({ network }, { network: { descriptor: 9 } });
    assert.deepEqual([card.vsock.tsi, card.network], [null, { socket: { descriptor: 9 }, mac: network.mac }]);
  });
});
