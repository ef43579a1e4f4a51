import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { temporary } from './support/store.ts';

const PROGRAM = `
  const { Catalog } = await import(process.argv[1]);
  process.stdout.write('opening');
  Catalog.open(process.argv[2])[Symbol.dispose]();
`;

describe('the catalog of a store', () => {
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
