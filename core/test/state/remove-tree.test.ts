import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../../dist/state/remove-tree.js';
import { sizeOnDisk } from '../../dist/volumes/size-on-disk.js';

const USER = 65534;

describe('a directory with what a guest has closed', () => {
  const from = process.cwd();
  let home: string;
  beforeEach(() => {
    home = fs.mkdtempSync(join(tmpdir(), 'closed-'));
    fs.mkdirSync(join(home, 'volume/closed/deeper'), { recursive: true });
    fs.writeFileSync(join(home, 'volume/closed/deeper/file'), 'x');
    fs.mkdirSync(join(home, 'elsewhere'), { mode: 0o755 });
    fs.symlinkSync('../../elsewhere', join(home, 'volume/closed/link'));
    fs.chmodSync(join(home, 'volume/closed/deeper'), 0);
    fs.chmodSync(join(home, 'volume/closed'), 0o500);
    // Places above may be closed to the user whom root becomes.
    process.chdir(home);
    if (process.getuid?.() !== 0) return;
    // Root may do everything.
    for (const name of ['', 'volume', 'volume/closed', 'volume/closed/deeper', 'volume/closed/deeper/file'])
      fs.chownSync(join(home, name), USER, USER);
    process.seteuid?.(USER);
  });
  afterEach(() => {
    if (process.getuid?.() === 0) process.seteuid?.(0);
    process.chdir(from);
    fs.rmSync(home, { recursive: true });
  });

  it('can be measured and removed, and nothing that a link in it leads to', async () => {
    assert.ok((await sizeOnDisk('volume')) >= 0);
    await removeTree('volume');
    assert.deepEqual(fs.readdirSync('.'), ['elsewhere']);
    assert.equal(fs.statSync('elsewhere').mode & 0o777, 0o755);
    await removeTree('volume');
  });
});
