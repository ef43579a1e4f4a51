import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { BuildContext } from '../../dist/context/build-context.js';
import { readIgnoreFile, type IgnoreRule } from '../../dist/context/ignore-file.js';

describe('a build context', () => {
  let directory: string;
  let root: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'context-'));
    root = join(directory, 'root');
    mkdirSync(root);
    writeFileSync(join(directory, 'outside'), 'outside');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function files(...paths: readonly string[]): void {
    for (const path of paths) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), path);
    }
  }

  async function context(ignore = ''): Promise<BuildContext> {
    return BuildContext.open(root, readIgnoreFile(ignore) as IgnoreRule[]);
  }

  async function walked(of: BuildContext, source: string): Promise<string[]> {
    const paths: string[] = [];
    for (const selected of await of.select(source)) for await (const { real } of of.walk(selected)) paths.push(real);
    return paths;
  }

  it('gives a file, a directory and all of it, in the order of names', async () => {
    files('b/2', 'b/1', 'a');
    const it = await context();
    assert.deepEqual(await walked(it, 'a'), ['a']);
    assert.deepEqual(await walked(it, '/b/'), ['b', 'b/1', 'b/2']);
    assert.deepEqual(await walked(it, '.'), ['', 'a', 'b', 'b/1', 'b/2']);
    assert.deepEqual(await it.select('c'), []);
    assert.deepEqual(await it.select('a/x'), []);
  });

  it('matches patterns within directories', async () => {
    files('a1/x.c', 'a2/x.c', 'a2/y.c', 'b/x.c', '.hidden');
    const it = await context();
    const paths = async (source: string) => (await it.select(source)).map(({ path }) => path);
    assert.deepEqual(await paths('a*/x.?'), ['a1/x.c', 'a2/x.c']);
    assert.deepEqual(await paths('*'), ['.hidden', 'a1', 'a2', 'b']);
    assert.deepEqual(await paths('[^a]'), ['b']);
    assert.deepEqual(await paths('*.c'), []);
  });

  it('leaves out what is ignored, and keeps what is taken back with its directories', async () => {
    files('a/x', 'a/keep/y', 'b', 'c/z');
    assert.deepEqual(await walked(await context('a\n!a/keep\nc'), '.'), ['', 'a', 'a/keep', 'a/keep/y', 'b']);
    assert.deepEqual(await (await context('b')).select('b'), []);
    assert.deepEqual(await walked(await context('a'), '*'), ['b', 'c', 'c/z']);
  });

  it('does not lead out by names or links', async () => {
    files('d/in', 'etc/passwd');
    symlinkSync('../../outside', join(root, 'd/up'));
    symlinkSync(join(directory, 'outside'), join(root, 'absolute'));
    symlinkSync('/etc', join(root, 'etc-link'));
    symlinkSync('d', join(root, 'd-link'));
    symlinkSync('circle', join(root, 'circle'));
    const it = await context();
    assert.deepEqual(await it.select('../../outside'), []);
    assert.deepEqual(await it.select('d/up'), []);
    assert.deepEqual(await it.select('absolute'), []);
    assert.deepEqual(await it.select('etc-link/passwd'), [{ path: 'etc-link/passwd', real: 'etc/passwd' }]);
    assert.deepEqual(await it.select('d-link/i*'), [{ path: 'd-link/in', real: 'd/in' }]);
    await assert.rejects(it.select('circle'), { code: 'ELOOP' });
    assert.deepEqual(await walked(it, 'd'), ['d', 'd/in', 'd/up']);
  });

  it('opens the file that was seen and no other', async () => {
    files('a', 'b');
    const it = await context();
    const [selected] = await it.select('a');
    assert.ok(selected);
    const { value: entry } = await it.walk(selected).next();
    assert.ok(entry);
    {
      await using file = await it.file(entry);
      assert.equal(String(await buffer(file.createReadStream())), 'a');
    }
    rmSync(join(root, 'a'));
    symlinkSync('../outside', join(root, 'a'));
    await assert.rejects(it.file(entry), { code: 'ELOOP' });
    await assert.rejects(it.file({ ...entry, real: 'b' }), { code: 'CONFLICT' });
  });
});
