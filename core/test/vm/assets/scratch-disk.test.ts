import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBoxError } from '../../../dist/errors/box-error.js';
import {
  cloneScratch,
  DEFAULT_SCRATCH_BYTES,
  SCRATCH_SIZES,
  templateData,
} from '../../../dist/vm/assets/scratch-disk.js';
import { SCRATCH_TEMPLATES } from '../../../dist/vm/assets/scratch-template.gen.js';

const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`;

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

  for (const size of SCRATCH_SIZES) {
    it(`of ${size / 1024 ** 3} GiB holds a file system without a fault`, async function () {
      this.timeout(20_000);
      const path = join(directory, 'scratch.img');
      await cloneScratch(path, size);
      const report = execFileSync('e2fsck', ['-f', '-n', path], { env: { PATH }, encoding: 'utf8', stdio: 'pipe' });
      assert.match(report, /11\/[0-9]+ files/);
    });
  }

  it('of another size is refused and leaves no file', async () => {
    const path = join(directory, 'scratch.img');
    await assert.rejects(cloneScratch(path, 3 * 1024 ** 3), { code: 'INVALID_ARGUMENT' });
    assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
  });

  it('never replaces a file', async () => {
    const path = join(directory, 'scratch.img');
    writeFileSync(path, 'precious');
    await assert.rejects(cloneScratch(path), { code: 'ALREADY_EXISTS' });
    assert.equal(readFileSync(path, 'utf8'), 'precious');
  });

  it('is not made from a damaged template', () => {
    const [template] = SCRATCH_TEMPLATES;
    assert.ok(template);
    const damaged = [
      { ...template, sizeBytes: 1, sha256: '0'.repeat(64) },
      { ...template, sizeBytes: 2, brotli: template.brotli.slice(0, 100) },
    ];
    for (const one of damaged) {
      assert.throws(
        () => templateData(one),
        (error) => isBoxError(error) && error.code === 'ASSETS_CORRUPT',
      );
    }
  });
});
