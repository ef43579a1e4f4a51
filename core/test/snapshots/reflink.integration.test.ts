import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs, skip } from '../../../test/support/skip.ts';
import { copyDisk } from '../../dist/snapshots/copy-disk.js';

describe('a disk on a file system with reflinks', () => {
  let directory: string;
  let mount: string;
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'only root mounts a file system');
    needs(this, spawnSync('mkfs.btrfs', ['--version']).status === 0, 'mkfs.btrfs');
    directory = mkdtempSync(join(tmpdir(), 'reflink-'));
    mount = join(directory, 'mount');
    const image = join(directory, 'image');
    mkdirSync(mount);
    writeFileSync(image, '');
    truncateSync(image, 512 * 2 ** 20);
    execFileSync('mkfs.btrfs', ['-q', image]);
    execFileSync('mount', ['-o', 'loop', image, mount]);
  });
  after(() => {
    if (directory === undefined) return;
    spawnSync('umount', [mount]);
    rmSync(directory, { recursive: true });
  });

  it('is shared by its copy, until one of them is written', async () => {
    const [from, to] = [join(mount, 'from'), join(mount, 'to')];
    writeFileSync(from, Buffer.alloc(150 * 2 ** 20, 'a'));
    assert.equal(await copyDisk(from, to, new AbortController().signal), 'shared');
    // Twice as much would not fit.
    assert.equal(await copyDisk(from, join(mount, 'third'), new AbortController().signal), 'shared');
    writeFileSync(from, 'b', { flag: 'r+' });
    assert.equal(readFileSync(to, 'latin1').slice(0, 2), 'aa');
    assert.equal(readFileSync(from, 'latin1').slice(0, 2), 'ba');
  });
});
