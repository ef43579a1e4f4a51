import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptyExt4 } from '../../../dist/vm/assets/ext4/image.js';
import { SUPERBLOCK_OFFSET } from '../../../dist/vm/assets/ext4/superblock.js';
import { cloneScratch } from '../../../dist/vm/assets/scratch-disk.js';

const [MIB, GIB] = [2 ** 20, 2 ** 30];
const ENVIRONMENT = {
  PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
  E2FSPROGS_FAKE_TIME: '1700000000',
  MKE2FS_CONFIG: '/dev/null',
};
const FEATURES =
  'none,has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super2,large_file,huge_file,uninit_bg,dir_nlink,extra_isize';
/** Where the superblock counts the bytes that mke2fs wrote. */
const WRITTEN_OFFSET = 0x178;

describe('scratch disks', () => {
  let directory: string;
  before(function () {
    const version = execFileSync('sh', ['-c', 'mke2fs -V 2>&1'], { env: ENVIRONMENT, encoding: 'utf8' });
    // Another version of e2fsprogs may lay out a file system differently and be as right.
    if (!version.includes('mke2fs 1.47.0')) this.skip();
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'mke2fs-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  // Of a single group mke2fs 1.47.0 counts the free blocks wrongly.
  const cases: [bytes: number, journalMib: number][] = [
    ...([
      [131 * MIB, 16],
      [500 * MIB, 16],
    ] as [number, number][]),
    ...([
      [GIB, 32],
      [5 * GIB + 3 * MIB, 32],
      [64 * GIB, 32],
      [256 * GIB, 32],
    ] as [number, number][]),
  ];
  for (const [bytes, journal] of cases) {
    it(`of ${bytes} bytes are what mke2fs makes, byte for byte`, async function () {
      this.timeout(60_000);
      const [ours, theirs] = [join(directory, 'ours'), join(directory, 'theirs')];
      await cloneScratch(ours, bytes);
      makeFileSystem(theirs, bytes, journal);
      const descriptor = openSync(theirs, 'r');
      for (const { offset, data } of emptyExt4(bytes)) {
        const made = Buffer.alloc(data.length);
        readSync(descriptor, made, 0, made.length, offset);
        if (offset === SUPERBLOCK_OFFSET) made.fill(0, WRITTEN_OFFSET, WRITTEN_OFFSET + 8);
        assert.ok(made.equals(data), `block ${offset / 4096} differs`);
      }
      closeSync(descriptor);
      // What else they hold are zeros.
      assert.equal(allocated(theirs), allocated(ours));
    });
  }
});

function makeFileSystem(path: string, bytes: number, journalMib: number): void {
  const descriptor = openSync(path, 'w');
  ftruncateSync(descriptor, bytes);
  closeSync(descriptor);
  const groups = 2 ** Math.ceil(Math.log2(Math.max(bytes / (128 * MIB), 1)));
  const extended =
    'hash_seed=5ca7c400-a35b-4000-8000-000000000002,lazy_itable_init=0,lazy_journal_init=0,nodiscard,packed_meta_blocks=1,num_backup_sb=0,root_owner=0:0';
  const options = ['-F', '-q', '-t', 'ext4', '-b', '4096', '-m', '0', '-i', '32768', '-I', '256', '-G', String(groups)];
  const names = ['-J', `size=${journalMib}`, '-U', '5ca7c400-a35b-4000-8000-000000000001'];
  execFileSync('mke2fs', [...options, ...names, '-O', FEATURES, '-E', extended, path], {
    env: ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function allocated(path: string): number {
  // mke2fs reserves blocks that it does not write; a copy has none of them.
  execFileSync('cp', ['--sparse=always', path, `${path}.copy`]);
  return statSync(`${path}.copy`).blocks;
}
