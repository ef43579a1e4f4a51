import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noOpProgram } from '../../dist/box/no-op-program.js';

describe('the program that does nothing', () => {
  it('runs on this machine, says nothing and succeeds', () => {
    const directory = mkdtempSync(join(tmpdir(), 'noop-'));
    try {
      const path = join(directory, 'program');
      const program = noOpProgram();
      assert.ok(program);
      writeFileSync(path, program, { mode: 0o755 });
      assert.equal(execFileSync(path, { encoding: 'utf8' }), '');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('is there for the machines that boxes run on, and no others', () => {
    assert.ok(noOpProgram('x64'));
    assert.ok(noOpProgram('arm64'));
    assert.equal(noOpProgram('mips'), undefined);
  });
});
