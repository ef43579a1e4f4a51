import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AssetCache, type AssetRecipe } from '../../../dist/vm/assets/asset-cache.js';

describe('asset cache', () => {
  let directory: string;
  let input: string;
  let built: number;

  /** Doubles its input. */
  const recipe = (version = 1): AssetRecipe => ({
    kind: 'twice',
    version,
    input,
    build: () => {
      built++;
      const data = readFileSync(input);
      return Promise.resolve([data, data]);
    },
  });
  const cache = (): AssetCache => new AssetCache(join(directory, 'assets'));

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cache-'));
    input = join(directory, 'input');
    writeFileSync(input, 'ab');
    built = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('makes a file once and finds it again', async () => {
    const path = await cache().get(recipe());
    assert.equal(readFileSync(path, 'utf8'), 'abab');
    assert.equal(await cache().get(recipe()), path);
    assert.equal(built, 1);
  });

  it('keeps the directory to its owner and the file readable', async () => {
    const path = await cache().get(recipe());
    assert.equal(statSync(join(directory, 'assets')).mode & 0o777, 0o700);
    assert.equal(statSync(path).mode & 0o777, 0o644);
  });

  it('makes another file for another input or recipe', async () => {
    const first = await cache().get(recipe());
    writeFileSync(input, 'cd');
    const second = await cache().get(recipe());
    const third = await cache().get(recipe(2));
    assert.equal(new Set([first, second, third]).size, 3);
    assert.equal(readFileSync(second, 'utf8'), 'cdcd');
  });

  it('makes a damaged file again', async () => {
    const path = await cache().get(recipe());
    writeFileSync(path, 'abaX');
    assert.equal(readFileSync(await cache().get(recipe()), 'utf8'), 'abab');
    truncateSync(path, 1);
    assert.equal(readFileSync(await cache().get(recipe()), 'utf8'), 'abab');
    assert.equal(built, 3);
  });

  it('keeps a file that is only older or newer than recorded', async () => {
    const path = await cache().get(recipe());
    utimesSync(path, 1, 1);
    await cache().get(recipe());
    assert.equal(built, 1);
  });

  it('makes a file again when its record is damaged', async () => {
    const path = await cache().get(recipe());
    const record = readdirSync(join(directory, 'assets')).find((name) => name.endsWith('.json'));
    writeFileSync(join(directory, 'assets', record ?? ''), '{');
    assert.equal(await cache().get(recipe()), path);
    assert.equal(built, 2);
  });

  it('is shared by many at the same time and leaves no temporary file', async () => {
    const paths = await Promise.all(Array.from({ length: 8 }, () => cache().get(recipe())));
    assert.equal(new Set(paths).size, 1);
    assert.equal(readFileSync(paths[0] ?? '', 'utf8'), 'abab');
    assert.deepEqual(
      readdirSync(join(directory, 'assets')).filter((name) => name.includes('.tmp-')),
      [],
    );
  });

  it('leaves nothing behind when the file cannot be made', async () => {
    const failing = { ...recipe(), build: () => Promise.reject(new TypeError('no')) };
    await assert.rejects(cache().get(failing), TypeError);
    assert.deepEqual(readdirSync(join(directory, 'assets')), []);
  });

  it('says so when the input is missing', async () => {
    rmSync(input);
    await assert.rejects(cache().get(recipe()), { code: 'ASSETS_MISSING' });
  });
});
