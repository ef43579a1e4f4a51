import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './support.ts';

describe('the validators', () => {
  it('are those of the schemas (else run: npm run generate)', () => {
    using tmp = temporaryDirectory();
    const repository = join(import.meta.dirname, '../../..');
    const out = join(tmp.path, 'validators.ts');
    execFileSync(process.execPath, [join(repository, 'scripts/generate-schemas.ts'), out]);
    const kept = readFileSync(join(repository, 'core/src/kernel/schema-validators.gen.ts'), 'utf8');
    assert.equal(readFileSync(out, 'utf8'), kept);
  });
});
