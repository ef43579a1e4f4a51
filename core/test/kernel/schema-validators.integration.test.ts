import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './support.ts';

describe('the validators', () => {
  it('are those of the schemas (else run: npm run generate)', () => {
    using tmp = temporaryDirectory();
    const repository = join(import.meta.dirname, '../../..');
    execFileSync(process.execPath, [join(repository, 'scripts/generate-schemas.ts'), tmp.path]);
    for (const file of [
      'core/src/kernel/schema-validators.gen.ts',
      'plugins/image-trust/src/policy-validator.gen.ts',
    ]) {
      assert.equal(readFileSync(join(tmp.path, file), 'utf8'), readFileSync(join(repository, file), 'utf8'));
    }
  });
});
