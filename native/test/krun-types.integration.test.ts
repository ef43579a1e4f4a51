import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NATIVE = join(import.meta.dirname, '..');

describe("the types of the launcher's documents", function () {
  this.timeout(30_000);

  it('are those of the schemas (else run: npm run generate)', () => {
    const out = mkdtempSync(join(tmpdir(), 'krun-types-'));
    execFileSync(process.execPath, [join(NATIVE, '../scripts/generate-types.ts'), out]);
    for (const name of ['krun-document.gen.ts', 'krun-status.gen.ts']) {
      assert.equal(readFileSync(join(NATIVE, 'src', name), 'utf8'), readFileSync(join(out, name), 'utf8'), name);
    }
    rmSync(out, { recursive: true });
  });
});
