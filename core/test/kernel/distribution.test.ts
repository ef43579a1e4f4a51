import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findDistribution, loadDistribution } from '@a3s-box/core/host';
import { temporaryDirectory } from './support.ts';

function write(directory: string, name: string, content: unknown): string {
  const file = join(directory, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o644 });
  return file;
}

async function refusal(content: unknown): Promise<string> {
  using tmp = temporaryDirectory();
  const file = write(tmp.path, 'distribution.json', content);
  let message = '';
  await assert.rejects(loadDistribution(file), (error: Error & { code: string; hint: string }) => {
    assert.equal(error.code, 'DISTRIBUTION_INVALID');
    assert.ok(error.message.startsWith(`distribution file ${file}: `));
    assert.ok(error.hint);
    message = error.message;
    return true;
  });
  return message;
}

describe('a distribution file', () => {
  it('lists packages and directories, defaults and settings', async () => {
    using tmp = temporaryDirectory();
    const file = write(tmp.path, 'distribution.json', {
      version: 1,
      plugins: [{ package: '@x/a', required: true }, { path: './b' }, { path: '/opt/c' }],
      defaults: { 'test.clock.v1': 'sun' },
      settings: { '@x/a': { color: 'red' } },
    });
    assert.deepEqual(await loadDistribution(file), {
      file,
      plugins: [
        { kind: 'package', name: '@x/a', required: true },
        { kind: 'directory', path: join(tmp.path, 'b'), required: false },
        { kind: 'directory', path: '/opt/c', required: false },
      ],
      defaults: { 'test.clock.v1': 'sun' },
      settings: { '@x/a': { color: 'red' } },
    });
  });

  it('tells everything that is wrong with it', async () => {
    const message = await refusal({
      version: 2,
      plugins: [{ package: '@x/a', path: './a' }, { url: 'x' }, { package: '../a' }],
      defaults: { clock: 'sun' },
      settings: { '@x/a': 1 },
      color: 1,
    });
    for (const part of [
      'distribution.version must be 1',
      'distribution.plugins[0] must be an object with either package or path',
      'distribution.plugins[1] has an unknown property "url"',
      'distribution.plugins[2].package must be a package name',
      'distribution.defaults has a property "clock" whose name is not of the right form',
      'distribution.settings["@x/a"] must be object',
      'distribution has an unknown property "color"',
    ]) {
      assert.ok(message.includes(part), `${part} is in: ${message}`);
    }
  });

  it('that is no JSON is refused', async () => {
    assert.match(await refusal('{'), /it is no JSON/);
  });

  it('that others may write to is refused, where its mode does not tell', async () => {
    using tmp = temporaryDirectory();
    const file = write(tmp.path, 'distribution.json', { version: 1, plugins: [] });
    const asked: string[] = [];
    const files = { builtIn: file, letsOthersWrite: (path: string) => asked.push(path) > 0 };
    for (const place of ['explicit', 'system'] as const) {
      await assert.rejects(findDistribution({ ...files, [place]: file }), {
        code: 'DISTRIBUTION_INVALID',
        message: /other users may write to it/,
      });
    }
    assert.deepEqual(asked, [file, file]);
    assert.equal((await findDistribution({ ...files, system: join(tmp.path, 'none.json') })).file, file);
    assert.equal(asked.length, 2);
  });

  it('that every user may write to is refused', async function () {
    if (process.platform === 'win32') this.skip();
    using tmp = temporaryDirectory();
    const file = write(tmp.path, 'distribution.json', { version: 1, plugins: [] });
    chmodSync(file, 0o666);
    await assert.rejects(loadDistribution(file), { code: 'DISTRIBUTION_INVALID', hint: `chmod o-w ${file}` });
  });

  it("is the explicit one, else the system's, else the built-in one", async () => {
    using tmp = temporaryDirectory();
    const empty = { version: 1, plugins: [] };
    const [explicit, system, builtIn] = ['explicit', 'system', 'built-in'].map((name) => write(tmp.path, name, empty));
    assert.ok(explicit && system && builtIn);
    const missing = join(tmp.path, 'missing');
    const chosen = async (files: Parameters<typeof findDistribution>[0]) => (await findDistribution(files)).file;
    assert.equal(await chosen({ explicit, system, builtIn }), explicit);
    assert.equal(await chosen({ system, builtIn }), system);
    assert.equal(await chosen({ system: missing, builtIn }), builtIn);
    await assert.rejects(chosen({ explicit: missing, system, builtIn }), { code: 'DISTRIBUTION_INVALID' });
  });

  it('that is wrong is not replaced by the next one', async () => {
    using tmp = temporaryDirectory();
    const builtIn = write(tmp.path, 'built-in', { version: 1, plugins: [] });
    const system = write(tmp.path, 'system', '{');
    await assert.rejects(findDistribution({ system, builtIn }), { code: 'DISTRIBUTION_INVALID' });
    await assert.rejects(findDistribution({ system: tmp.path, builtIn }), /it cannot be read/);
  });
});
