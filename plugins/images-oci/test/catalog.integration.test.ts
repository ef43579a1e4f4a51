import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { Catalog } from '../dist/catalog.js';
import { temporary } from './support/store.ts';

const PROGRAM = `
  const { Catalog } = await import(process.argv[1]);
  process.stdout.write('opening');
  Catalog.open(process.argv[2])[Symbol.dispose]();
`;

describe('the catalog of a store', () => {
  it('is brought up to date, and left alone when it is of a later version', async () => {
    await using place = await temporary();
    const path = join(place.path, 'catalog.db');
    Catalog.open(path)[Symbol.dispose]();
    using earlier = new DatabaseSync(path);
    const { user_version: current } = earlier.prepare('PRAGMA user_version').get() as { user_version: number };
    // As the first version was.
    earlier.exec(
      "DROP TABLE admissions; DROP TABLE layer_places; ALTER TABLE images DROP COLUMN used; INSERT INTO disks VALUES ('kept', 1); PRAGMA user_version = 1",
    );
    {
      using catalog = Catalog.open(path);
      assert.equal(catalog.get('SELECT count(*) AS rows FROM admissions')?.['rows'], 0);
      assert.equal(catalog.get('SELECT key FROM disks')?.['key'], 'kept');
    }
    earlier.exec(`PRAGMA user_version = ${current + 1}`);
    assert.throws(() => Catalog.open(path), { code: 'HOME_UNUSABLE', message: new RegExp(`format ${current + 1}`) });
  });

  it('waits for another process that is making it', async () => {
    await using place = await temporary();
    const path = join(place.path, 'catalog.db');
    using other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const module = new URL('../dist/catalog.js', import.meta.url).href;
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, module, path]);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const closed = once(child, 'close') as Promise<[number | null]>;
    await once(child.stdout, 'data');
    await Promise.race([closed, setTimeout(200)]);
    other.exec('COMMIT');
    const [code] = await closed;
    assert.equal(code, 0, stderr);
  });
});
