import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { planPlugins } from '@a3s-box/core/host';
import { distributionOf, temporaryDirectory, writePackage, type TestPackage } from './support.ts';

const GOOD = { apiVersion: 1, plugin: './plugin.js', provides: [{ port: 'test.clock.v1', name: 'sun' }] };

/** Plans with one package; a plan runs no code, so its module may throw. */
async function plan(pack: TestPackage, prepare: (directory: string) => void = () => undefined) {
  using tmp = temporaryDirectory();
  const directory = writePackage(tmp.path, { code: 'throw new Error("was run")', ...pack });
  prepare(directory);
  const { manifests, faults } = await planPlugins({ distribution: distributionOf([directory]), resolveFrom: [] });
  return { manifests, faults, directory };
}

async function faultOf(pack: TestPackage, prepare?: (directory: string) => void) {
  const { faults, manifests } = await plan(pack, prepare);
  assert.equal(faults.length, 1, 'one fault');
  assert.equal(manifests.length, 0);
  const [fault] = faults;
  assert.ok(fault?.error.hint, 'every fault says what to do');
  return { kind: fault.kind, plugin: fault.plugin, message: fault.error.message, hint: fault.error.hint };
}

describe('a manifest', () => {
  it('is read without running the code of the package', async () => {
    const { manifests, faults, directory } = await plan({ name: '@x/clock', a3sBox: GOOD });
    assert.deepEqual(faults, []);
    assert.deepEqual(manifests, [
      {
        name: '@x/clock',
        version: '1.2.3',
        directory,
        module: join(directory, 'plugin.js'),
        provides: GOOD.provides,
        requires: [],
      },
    ]);
  });

  it('of another apiVersion is refused for that alone, whatever else it says', async () => {
    const newer = await faultOf({ name: 'a', a3sBox: { apiVersion: 2, somethingNew: true } });
    assert.equal(newer.kind, 'api-version');
    assert.match(newer.message, /plugin "a": it was written for apiVersion 2, and this A3S Box has 1/);
    assert.match(newer.hint, /update A3S Box, or install a release of "a" for apiVersion 1/);
    const older = await faultOf({ name: 'a', a3sBox: { apiVersion: 0 } });
    assert.match(older.hint, /^install a release of "a" for apiVersion 1$/);
  });

  it('tells all of its problems at once, each with its place', async () => {
    const { kind, message } = await faultOf({
      name: 'a',
      a3sBox: {
        apiVersion: 1,
        plugin: '../other.js',
        provides: [{ port: 'Clock', name: 'sun' }, { port: 'test.clock.v1' }],
        requires: 'none',
        platforms: ['linux', 'amiga'],
        color: 'red',
      },
    });
    assert.equal(kind, 'manifest');
    for (const part of [
      'a3sBox has an unknown property "color"',
      'a3sBox.plugin must be a path inside the package that starts with ./',
      "a3sBox.provides[0].port must be a port's id such as a3s-box.network.v1",
      'a3sBox.provides[1] lacks "name"',
      'a3sBox.requires must be array',
      'a3sBox.platforms[1] must be a system such as linux or linux-x64',
    ]) {
      assert.ok(message.includes(part), `${part} is in: ${message}`);
    }
  });

  for (const [what, apiVersion] of [
    ['text', '1'],
    ['missing', undefined],
  ] as const) {
    it(`is refused when its apiVersion is ${what}`, async () => {
      const { kind, message } = await faultOf({ name: 'a', a3sBox: { ...GOOD, apiVersion } });
      assert.equal(kind, 'manifest');
      assert.match(message, /apiVersion/);
    });
  }

  it('is missed in a package that is no plugin', async () => {
    const { kind, message } = await faultOf({ name: 'a' });
    assert.equal(kind, 'manifest');
    assert.match(message, /plugin "a": its package\.json has no a3sBox section/);
  });

  it('is refused when its module is not there', async () => {
    const { message } = await faultOf({ name: 'a', a3sBox: { ...GOOD, plugin: './dist/plugin.js' } });
    assert.match(message, /names \.\/dist\/plugin\.js, which is not there/);
  });

  it('is refused when its module lies outside the package over a link', async () => {
    const { message } = await faultOf({ name: 'a', a3sBox: { ...GOOD, plugin: './link.js' } }, (directory) => {
      symlinkSync('/etc/hostname', join(directory, 'link.js'));
    });
    assert.match(message, /names \.\/link\.js, which lies outside the package/);
  });

  it('is refused when its module is a directory', async () => {
    const { message } = await faultOf({ name: 'a', a3sBox: { ...GOOD, plugin: './lib' }, files: { 'lib/x.js': '' } });
    assert.match(message, /which is no file/);
  });

  for (const [what, text] of [
    ['no JSON', '{'],
    ['no object', '"x"'],
    ['nameless', '{"version":"1.0.0"}'],
  ] as const) {
    it(`is missed in a package.json that is ${what}`, async () => {
      const { kind, message } = await faultOf({ name: 'a' }, (directory) => {
        writeFileSync(join(directory, 'package.json'), text);
      });
      assert.equal(kind, 'manifest');
      assert.match(message, /is no package\.json with name and version/);
    });
  }
});
