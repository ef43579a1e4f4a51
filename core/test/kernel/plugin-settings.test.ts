import assert from 'node:assert/strict';
import { join } from 'node:path';
import { definePort } from '@a3s-box/core';
import { PluginHost, type Settings } from '@a3s-box/core/host';
import { distributionOf, RecordingLogger, temporaryDirectory, writePlugin } from './support.ts';

const Port = definePort<{ readonly context: { readonly settings: Settings } }>('test.settings.v1');
const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    color: { type: 'string', enum: ['red', 'blue'] },
    size: { type: 'integer', default: 3 },
    nested: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } } },
  },
};

interface Sources {
  readonly locked?: Settings;
  readonly user?: Settings;
  readonly schema?: object | undefined;
}

async function outcome({ locked, user, schema = SCHEMA }: Sources): Promise<Settings | string> {
  using tmp = temporaryDirectory();
  const provides = [{ port: Port.id, name: 'x' }];
  const settings = 'none' in schema ? {} : { settings: schema };
  const directory = writePlugin(tmp.path, { name: 'p', provides, ...settings });
  await using host = await PluginHost.start({
    distribution: distributionOf([directory], { settings: locked === undefined ? {} : { p: locked } }),
    userSettings: user === undefined ? {} : { p: user },
    resolveFrom: [],
    stateDirectory: join(tmp.path, 'state'),
    logger: new RecordingLogger(),
    signal: new AbortController().signal,
  });
  const [fault] = host.faults;
  if (fault === undefined) return host.registry.get(Port).context.settings;
  assert.equal(fault.kind, 'settings');
  assert.ok(fault.error.hint);
  return fault.error.message;
}

describe('the settings of a plugin', () => {
  it("are the user's and the distribution's, with the schema's defaults", async () => {
    const settings = await outcome({ locked: { nested: { a: 1 } }, user: { color: 'red', nested: { b: 2 } } });
    assert.deepEqual(settings, { color: 'red', size: 3, nested: { a: 1, b: 2 } });
  });

  it('cannot be changed by the plugin', async () => {
    const settings = await outcome({ user: { nested: { a: 1 } } });
    assert.ok(Object.isFrozen(settings));
    assert.ok(Object.isFrozen((settings as Settings)['nested']));
  });

  it('are held by the distribution: another wish is refused, the same one is not', async () => {
    const refused = await outcome({
      locked: { color: 'red', nested: { a: 1 } },
      user: { color: 'blue', nested: { a: 2 } },
    });
    assert.equal(refused, 'plugin "p": the distribution holds these settings: color, nested.a');
    assert.deepEqual(await outcome({ locked: { color: 'red' }, user: { color: 'red' } }), { color: 'red', size: 3 });
  });

  it('are checked, with every problem told', async () => {
    assert.equal(
      await outcome({ user: { color: 'green', size: 'x', other: 1 } }),
      'plugin "p": its settings are wrong: settings has an unknown property "other"; ' +
        'settings.color must be one of ["red","blue"]; settings.size must be integer',
    );
  });

  it('are refused for a plugin that takes none', async () => {
    assert.equal(
      await outcome({ user: { a: 1 }, schema: { none: true } }),
      'plugin "p": it takes no settings, and was given a',
    );
    assert.deepEqual(await outcome({ schema: { none: true } }), {});
  });

  it('do not pass when their schema is wrong', async () => {
    assert.match(String(await outcome({ schema: { type: 'objekt' } })), /the schema of its settings cannot be used/);
  });

  it('may be none, where the schema asks for none', async () => {
    const optional = { type: 'object', additionalProperties: false, properties: { a: { type: 'string' } } };
    assert.deepEqual(await outcome({ schema: optional }), {});
    assert.match(String(await outcome({ schema: { ...optional, required: ['a'] } })), /settings lacks "a"/);
    assert.match(String(await outcome({ schema: { ...optional, minProperties: 1 } })), /are wrong/);
  });

  it('take a member named __proto__ for a member', async () => {
    const user = JSON.parse('{"__proto__":{"color":"red"}}') as Settings;
    assert.match(String(await outcome({ user })), /unknown property "__proto__"/);
  });

  it("for a plugin that is not there are a fault, in the file as in the user's", async () => {
    await using host = await PluginHost.start({
      distribution: distributionOf([], { settings: { gone: {} } }),
      userSettings: { away: {} },
      resolveFrom: [],
      stateDirectory: '/nowhere',
      logger: new RecordingLogger(),
      signal: new AbortController().signal,
    });
    assert.deepEqual(
      host.faults.map(({ kind, error }) => [kind, error.message]),
      [
        ['distribution', 'plugin "gone": the distribution file set something for it, but it is not among the plugins'],
        ['settings', 'plugin "away": your settings set something for it, but it is not among the plugins'],
      ],
    );
    assert.deepEqual(host.plugins, []);
  });
});
