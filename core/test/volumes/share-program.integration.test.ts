import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findShareProgram } from '../../dist/volumes/share-program.js';

describe('finding the file server', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'p'));
  });
  after(() => rm(directory, { recursive: true }));

  async function program(name: string, says: string): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
    return path;
  }
  const search = { bundled: '/nowhere/virtiofsd', path: '' };

  it('takes the one that was named, however it is called', async () => {
    const configured = await program('mine', 'virtiofsd 1.13.2');
    assert.equal(await findShareProgram({ ...search, configured }), configured);
  });

  it('takes the bundled one before those in PATH', async () => {
    const bundled = await program('bundled', 'virtiofsd 2.0.0');
    assert.equal(await findShareProgram({ bundled, path: directory }), bundled);
  });

  const useless: [says: string, message: RegExp][] = [
    ['virtiofsd 1.10.1', /is version 1\.10\.1/],
    ['virtiofsd version 7.2.22 (Debian)', /is not the Rust virtiofsd/],
  ];
  for (const [says, message] of useless) {
    it(`refuses "${says}", named or not`, async () => {
      const configured = await program('virtiofsd', says);
      const expected = { code: 'BACKEND_UNAVAILABLE', message };
      await assert.rejects(findShareProgram({ ...search, configured }), expected);
    });
  }

  it('says what is missing, and where to get it', async () => {
    const configured = join(directory, 'not-there');
    await assert.rejects(findShareProgram({ ...search, configured }), (error: Error & { hint?: string }) => {
      assert.match(error.message, /not-there was not found/);
      assert.match(error.hint ?? '', /cargo install --locked virtiofsd/);
      return true;
    });
  });
});
