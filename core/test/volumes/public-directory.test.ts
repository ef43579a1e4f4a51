import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePublicDirectory } from '../../dist/volumes/public-directory.js';

describe('makePublicDirectory', () => {
  let directory: string;
  let umask: number;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'public-'));
    umask = process.umask(0o077);
  });
  afterEach(() => {
    process.umask(umask);
    rmSync(directory, { recursive: true });
  });

  const modeOf = (path: string): number => statSync(join(directory, path)).mode & 0o777;

  it('makes what others may read, whatever the umask is, and leaves what is there', async () => {
    mkdirSync(join(directory, 'own'));
    await makePublicDirectory(`${directory}/own/a/b/`);
    await makePublicDirectory(join(directory, 'own'));
    assert.deepEqual(['own', 'own/a', 'own/a/b'].map(modeOf), [0o700, 0o755, 0o755]);
  });
});
