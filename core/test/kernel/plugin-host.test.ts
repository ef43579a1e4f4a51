import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { definePort } from '@a3s-box/core';
import {
  ClockPort,
  GreeterPort,
  kinds,
  moon,
  plain,
  states,
  sun,
  takeTrace,
  tracing,
  withPlugins,
  type TestService,
} from './plugin-host-support.ts';
import { distributionOf, linkPackage, temporaryDirectory, writePackage, writePlugin } from './support.ts';

describe('the plugin host', () => {
  it('gives services by port and name, by default, and all of them', async () => {
    using tmp = temporaryDirectory();
    const directories = [
      writePlugin(tmp.path, { name: 'a', provides: [sun] }),
      writePlugin(tmp.path, { name: 'b', provides: [moon, plain] }),
    ];
    await withPlugins(
      [],
      ({ registry, faults }) => {
        assert.deepEqual(faults, []);
        assert.equal(registry.get(ClockPort, 'sun').from, 'a');
        assert.equal(registry.get(ClockPort).from, 'b');
        assert.equal(registry.get(GreeterPort).from, 'b');
        assert.deepEqual([...registry.all(ClockPort).keys()], ['sun', 'moon']);
      },
      { distribution: distributionOf(directories, { defaults: { [ClockPort.id]: 'moon' } }) },
    );
  });

  it('hands a plugin the services that it requires', async () => {
    await withPlugins(
      [
        { name: 'a', requires: [sun, { port: GreeterPort.id }], provides: [{ port: 'test.top.v1', name: 'x' }] },
        { name: 'b', provides: [sun] },
        { name: 'c', provides: [plain] },
      ],
      ({ registry }) => {
        const { required } = registry.get(definePort<TestService>('test.top.v1'));
        assert.deepEqual(
          Object.values(required).map(({ from }) => from),
          ['b', 'c'],
        );
      },
    );
  });

  it('activates in order of need, independent plugins side by side, and disposes in reverse', async () => {
    takeTrace();
    await withPlugins(
      [
        { name: 'top', requires: [sun], activate: tracing('top') },
        { name: 'clock', provides: [sun], activate: tracing('clock') },
        { name: 'late', activate: tracing('late', 50) },
      ],
      () => undefined,
    );
    const trace = takeTrace();
    assert.deepEqual(trace.slice(0, 3).toSorted(), ['+clock', '+late', '+top']);
    assert.ok(trace.indexOf('+clock') < trace.indexOf('+top'));
    assert.deepEqual(trace.slice(3), ['-late', '-top', '-clock']);
  });

  it('gives each plugin a state directory of its own with mode 0700', async () => {
    await withPlugins([{ name: '@x/a', provides: [sun] }], ({ registry }, _logger, root) => {
      const { stateDirectory } = registry.get(ClockPort).context;
      assert.equal(stateDirectory, join(root, 'state/@x+a'));
      assert.equal(statSync(stateDirectory).mode & 0o7777, 0o700);
      assert.equal(statSync(join(root, 'state')).mode & 0o7777, 0o700);
    });
  });

  it('takes rights of others away from a state directory, and uses no link', async () => {
    using tmp = temporaryDirectory();
    const state = join(tmp.path, 'state');
    mkdirSync(join(state, 'open'), { recursive: true });
    chmodSync(join(state, 'open'), 0o777);
    symlinkSync('/tmp', join(state, 'linked'));
    writeFileSync(join(state, 'taken'), '');
    await withPlugins(
      [{ name: 'open' }, { name: 'linked' }, { name: 'taken' }],
      (host) => {
        assert.equal(statSync(join(state, 'open')).mode & 0o777, 0o700);
        assert.deepEqual(states(host), { open: 'active', linked: 'faulted', taken: 'faulted' });
        assert.match(
          host.faults[0]?.error.message ?? '',
          /state directory .*linked cannot be used: it is no directory/,
        );
        assert.ok(host.faults.every(({ error }) => error.hint));
      },
      { stateDirectory: state },
    );
  });

  it('leaves out a plugin that fails with its dependents, and keeps the others', async () => {
    const logger = await withPlugins(
      [
        { name: 'bad', provides: [sun], activate: 'throw new Error("no such luck")' },
        { name: 'needs-bad', requires: [sun] },
        { name: 'good', provides: [plain] },
      ],
      (host) => {
        assert.deepEqual(states(host), { bad: 'faulted', 'needs-bad': 'faulted', good: 'active' });
        assert.deepEqual(kinds(host).toSorted(), ['bad: activation', 'needs-bad: dependency']);
        const bad = host.faults.find(({ plugin }) => plugin === 'bad');
        assert.equal(bad?.error.message, 'plugin "bad": activation failed: no such luck');
        assert.equal(bad?.error.code, 'PLUGIN_FAILED');
        assert.ok(bad?.error.cause instanceof Error);
        assert.throws(() => host.registry.get(ClockPort, 'sun'), {
          code: 'NOT_FOUND',
          message: 'test.clock.v1 "sun" is not there: plugin "bad": activation failed: no such luck',
        });
      },
    );
    assert.equal(logger.lines.filter(({ message }) => message === 'plugin left out').length, 2);
  });

  it("keeps the hint of a plugin's own error", async () => {
    const activate = `throw Object.assign(new Error('no qemu'), { code: 'NOT_FOUND', hint: 'apt install it',
      [Symbol.for('a3s-box.error.v1')]: true })`;
    await withPlugins([{ name: 'bad', activate }], (host) => {
      assert.equal(host.faults[0]?.error.hint, 'apt install it');
    });
  });

  it('skips a plugin that finds no place here, and leaves out what needs it', async () => {
    const activate = `throw Object.assign(new Error(), { reason: 'no TPM', [Symbol.for('a3s-box.skip-plugin.v1')]: true })`;
    await withPlugins(
      [
        { name: 'skips', provides: [sun], activate },
        { name: 'needs', requires: [sun] },
      ],
      (host) => {
        assert.deepEqual(states(host), { skips: 'skipped', needs: 'faulted' });
        assert.deepEqual(kinds(host), ['needs: dependency']);
        assert.match(
          host.faults[0]?.error.message ?? '',
          /it needs test\.clock\.v1 "sun" of plugin "skips", which was skipped: no TPM/,
        );
        assert.throws(() => host.registry.get(ClockPort), /plugin "skips" was skipped: no TPM/);
      },
    );
  });

  it('gives up a plugin that hangs, and disposes of it if it comes up after all', async () => {
    takeTrace();
    const logger = await withPlugins(
      [
        {
          name: 'heeds',
          activate:
            'await new Promise((_, no) => context.signal.addEventListener("abort", () => no(context.signal.reason)));',
        },
        { name: 'slow', provides: [sun], activate: tracing('slow', 120) },
        { name: 'good' },
      ],
      async (host, { lines }) => {
        assert.deepEqual(states(host), { heeds: 'faulted', slow: 'faulted', good: 'active' });
        assert.deepEqual(kinds(host).toSorted(), ['heeds: timeout', 'slow: timeout']);
        assert.match(
          host.faults.find((it) => it.plugin === 'slow')?.error.message ?? '',
          /did not activate within 50 ms/,
        );
        while (!lines.some(({ message }) => /too late/.test(message)))
          await new Promise((resolve) => setTimeout(resolve, 5));
      },
      { activationLimitMs: 50 },
    );
    assert.deepEqual(takeTrace(), ['+slow', '-slow']);
    assert.deepEqual(
      logger.lines.filter(({ message }) => /too late/.test(message)).map(({ fields }) => fields['plugin']),
      ['slow'],
    );
  });

  it('limits the loading of a module too', async () => {
    using tmp = temporaryDirectory();
    const directory = writePackage(tmp.path, {
      name: 'hangs',
      a3sBox: { apiVersion: 1, plugin: './plugin.js', provides: [] },
      code: 'await new Promise((resolve) => setTimeout(resolve, 300)); export default {};',
    });
    await withPlugins([], (host) => assert.deepEqual(kinds(host), ['hangs: timeout']), {
      distribution: distributionOf([directory]),
      activationLimitMs: 50,
    });
  });

  for (const [what, code, kind, message] of [
    ['throws when it is loaded', 'throw new Error("boom")', 'load', /its module cannot be loaded: boom/],
    ['has no default export', 'export const x = 1;', 'load', /the default export of its module is no plugin/],
    ['exports what is no plugin', 'export default { provides: {}, requires: 3 };', 'load', /is no plugin/],
    [
      'provides other than its manifest says',
      `export default { provides: { c: { port: { id: 'test.clock.v1' }, name: 'moon' } }, requires: { g: { port: { id: 'test.greeter.v1' } } }, activate() {} };`,
      'disagreement',
      /manifest and code disagree: only the manifest provides test\.clock\.v1 "sun"; only the code provides test\.clock\.v1 "moon"; only the code requires test\.greeter\.v1/,
    ],
    [
      'gives nothing',
      `export default { provides: { c: { port: { id: 'test.clock.v1' }, name: 'sun' } }, requires: {}, async activate() {} };`,
      'activation',
      /its activation gave no services object/,
    ],
    [
      'gives no service',
      `export default { provides: { c: { port: { id: 'test.clock.v1' }, name: 'sun' } }, requires: {}, activate: async () => ({ services: {} }) };`,
      'activation',
      /its activation gave no service for test\.clock\.v1 "sun"/,
    ],
    [
      'gives a service too many',
      `export default { provides: { c: { port: { id: 'test.clock.v1' }, name: 'sun' } }, requires: {}, activate: async () => ({ services: { c: 1, d: 2 } }) };`,
      'activation',
      /its activation gave services that it does not declare: "d"/,
    ],
  ] as const) {
    it(`leaves out a plugin that ${what}`, async () => {
      using tmp = temporaryDirectory();
      const a3sBox = { apiVersion: 1, plugin: './plugin.js', provides: [sun] };
      const bad = writePackage(tmp.path, { name: 'bad', a3sBox, code });
      const good = writePlugin(tmp.path, { name: 'good' });
      await withPlugins(
        [],
        (host) => {
          assert.deepEqual(states(host), { bad: 'faulted', good: 'active' });
          assert.deepEqual(kinds(host), [`bad: ${kind}`]);
          assert.match(host.faults[0]?.error.message ?? '', message);
          assert.ok(host.faults[0]?.error.hint);
        },
        { distribution: distributionOf([bad, good]) },
      );
    });
  }

  it('finds packages by name from the host, then from the next place', async () => {
    using tmp = temporaryDirectory();
    const [hostDirectory, home] = [join(tmp.path, 'host'), join(tmp.path, 'home')];
    linkPackage(hostDirectory, '@x/a', writePlugin(join(tmp.path, '1'), { name: '@x/a', provides: [sun] }));
    linkPackage(home, '@x/a', writePlugin(join(tmp.path, '2'), { name: '@x/a', provides: [moon] }));
    linkPackage(home, 'b', writePlugin(join(tmp.path, '2'), { name: 'b', provides: [plain] }));
    const plugins = ['@x/a', 'b', 'c'].map((name) => ({ kind: 'package', name, required: false }) as const);
    await withPlugins(
      [],
      (host) => {
        assert.deepEqual(states(host), { '@x/a': 'active', b: 'active', c: 'faulted' });
        assert.deepEqual([...host.registry.all(ClockPort).keys()], ['sun']);
        assert.deepEqual(kinds(host), ['c: not-found']);
      },
      { distribution: { ...distributionOf([]), plugins }, resolveFrom: [hostDirectory, home] },
    );
  });

  it('can be disposed of twice', async () => {
    await withPlugins([{ name: 'a' }], async (host) => await host[Symbol.asyncDispose]());
  });

  it('loads no code and makes no directory for a plugin with a fault', async () => {
    using tmp = temporaryDirectory();
    const mark = join(tmp.path, 'was-run');
    const directory = writePackage(tmp.path, {
      name: 'bad',
      a3sBox: { apiVersion: 9 },
      code: `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(mark)}, '');`,
    });
    const stateDirectory = join(tmp.path, 'state');
    await withPlugins([], () => undefined, { distribution: distributionOf([directory]), stateDirectory });
    assert.ok(!existsSync(mark));
    assert.ok(!existsSync(stateDirectory));
  });
});

describe('the registry', () => {
  it('does not choose between several providers', async () => {
    await withPlugins([{ name: 'a', provides: [sun, moon] }], ({ registry }) => {
      assert.throws(() => registry.get(ClockPort), {
        code: 'INVALID_ARGUMENT',
        message: 'test.clock.v1 has several providers and no default',
        hint: 'name one of "sun", "moon"',
      });
    });
  });

  it('says what there is instead of what is not', async () => {
    await withPlugins([{ name: 'a', provides: [sun] }], ({ registry }) => {
      assert.throws(() => registry.get(ClockPort, 'star'), {
        code: 'NOT_FOUND',
        message: 'test.clock.v1 "star" is not there: no plugin provides it',
        hint: 'provided are: "sun"',
      });
      assert.equal(registry.all(GreeterPort).size, 0);
    });
  });
});
