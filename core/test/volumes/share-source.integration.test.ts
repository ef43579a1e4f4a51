import assert from 'node:assert/strict';
import { closeSync, fstatSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openShareSource } from '../../dist/volumes/share-source.js';

describe('the source of a bind', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 's')));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is what was opened, through links, whatever comes in its place', async () => {
    await mkdir(join(directory, 'real'));
    await symlink('real', join(directory, 'link'));
    const { ino } = statSync(join(directory, 'real'));
    const { descriptor, path } = await openShareSource(join(directory, 'link'), false);
    try {
      assert.equal(path, join(directory, 'real'));
      await rename(join(directory, 'real'), join(directory, 'moved'));
      await mkdir(join(directory, 'real'));
      assert.equal(fstatSync(descriptor).ino, ino);
    } finally {
      closeSync(descriptor);
    }
  });

  it('is made as a directory only where that is asked for', async () => {
    const wanted = join(directory, 'a/b');
    await assert.rejects(openShareSource(wanted, false), { code: 'NOT_FOUND', message: /does not exist: .*a\/b/ });
    closeSync((await openShareSource(wanted, true)).descriptor);
    assert.ok(statSync(wanted).isDirectory());
    await writeFile(join(directory, 'file'), '');
    const { descriptor } = await openShareSource(join(directory, 'file'), true);
    assert.ok(fstatSync(descriptor).isFile());
    closeSync(descriptor);
  });

  it('is no device', async () => {
    await assert.rejects(openShareSource('/dev/null', true), { code: 'UNSUPPORTED' });
  });
});
