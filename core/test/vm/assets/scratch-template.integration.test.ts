import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const core = join(import.meta.dirname, '..', '..', '..');

describe('scratch templates', () => {
  it('are what the script makes', function () {
    this.timeout(60_000);
    const version = execFileSync('sh', ['-c', 'mke2fs -V 2>&1'], {
      env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
      encoding: 'utf8',
    });
    // Another version of e2fsprogs may lay out a file system differently and be as right.
    if (!version.includes('mke2fs 1.47.0')) this.skip();
    const directory = mkdtempSync(join(tmpdir(), 'template-'));
    try {
      const made = join(directory, 'made.ts');
      execFileSync(process.execPath, [join(core, 'scripts', 'make-scratch-template.ts'), made]);
      const kept = join(core, 'src', 'vm', 'assets', 'scratch-template.gen.ts');
      assert.equal(readFileSync(made, 'utf8'), readFileSync(kept, 'utf8'));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
