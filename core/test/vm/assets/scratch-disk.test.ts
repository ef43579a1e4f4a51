import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloneScratch, DEFAULT_SCRATCH_BYTES } from '../../../dist/vm/assets/scratch-disk.js';

const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`;
const [MIB, GIB] = [2 ** 20, 2 ** 30];
/** Bounds, ends of groups of 128 MiB and what is just beside them, groups that are too small to be kept. */
const SIZES = [
  ...[16 * MIB, 16 * MIB + 1, 64 * MIB, 128 * MIB - 4096, 128 * MIB, 128 * MIB + 4096, 130 * MIB, 384 * MIB + 4096],
  ...[1000 * MIB, GIB, 3 * GIB + 5 * MIB, 10_000_000_000, DEFAULT_SCRATCH_BYTES, 100 * GIB, 2 ** 42],
];

describe('scratch disk', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'scratch-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is a sparse file of 64 GiB that takes less than 128 KiB', async () => {
    const path = join(directory, 'scratch.img');
    await cloneScratch(path);
    const { size, blocks, mode } = statSync(path);
    assert.equal(size, DEFAULT_SCRATCH_BYTES);
    assert.ok(blocks * 512 < 128 * 1024, `${blocks * 512} bytes are allocated`);
    assert.equal(mode & 0o777, 0o600);
  });

  for (const size of SIZES) {
    it(`of ${size} bytes holds a file system without a fault, of nearly that size`, async function () {
      this.timeout(60_000);
      const path = join(directory, 'scratch.img');
      await cloneScratch(path, size);
      assert.equal(statSync(path).size, Math.ceil(size / 4096) * 4096);
      const report = execFileSync('e2fsck', ['-f', '-n', path], { env: { PATH }, encoding: 'utf8', stdio: 'pipe' });
      const [, used, blocks] = /11\/[0-9]+ files .* ([0-9]+)\/([0-9]+) blocks/.exec(report)?.map(Number) ?? [];
      assert.ok(used && blocks, report);
      assert.ok(size - blocks * 4096 < 2 * MIB, report);
      assert.ok(used < blocks / 2, report);
    });
  }

  it('of another size is refused and leaves no file', async () => {
    const path = join(directory, 'scratch.img');
    for (const size of [0, 16 * MIB - 1, 2 ** 42 + 1, NaN, 64 * MIB + 0.5]) {
      await assert.rejects(cloneScratch(path, size), { code: 'INVALID_ARGUMENT' });
    }
    assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
  });

  it('never replaces a file', async () => {
    const path = join(directory, 'scratch.img');
    writeFileSync(path, 'precious');
    await assert.rejects(cloneScratch(path), { code: 'ALREADY_EXISTS' });
    assert.equal(readFileSync(path, 'utf8'), 'precious');
  });
});
