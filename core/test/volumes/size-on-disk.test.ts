import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sizeOnDisk } from '../../dist/volumes/size-on-disk.js';

describe('the size of a directory on the disk', () => {
  it('is that of all in it, without holes and without what links lead to', async () => {
    const home = fs.mkdtempSync(join(tmpdir(), 'size-'));
    try {
      const directory = join(home, 'counted');
      fs.mkdirSync(join(directory, 'deep'), { recursive: true });
      fs.writeFileSync(join(home, 'elsewhere'), Buffer.alloc(1_000_000, 1));
      fs.symlinkSync(join(home, 'elsewhere'), join(directory, 'link'));
      fs.writeFileSync(join(directory, 'holes'), '');
      fs.truncateSync(join(directory, 'holes'), 1e9);
      const empty = await sizeOnDisk(directory);
      fs.writeFileSync(join(directory, 'deep/file'), Buffer.alloc(100_000, 1));
      const more = (await sizeOnDisk(directory)) - empty;
      assert.ok(empty < 100_000, `${empty} bytes of nothing`);
      assert.ok(more >= 100_000 && more < 150_000, `${more} bytes of 100,000`);
      assert.equal(await sizeOnDisk(join(home, 'nothing')), 0);
    } finally {
      fs.rmSync(home, { recursive: true });
    }
  });
});
