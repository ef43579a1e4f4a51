import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { PluginManifest, RequiredPort } from '@a3s-box/core/host';
import { wirePlugins } from '../../dist/kernel/plugin-graph.js';

const CLOCK = 'test.clock.v1';
const GREETER = 'test.greeter.v1';

interface Sketch {
  readonly provides?: readonly string[];
  readonly requires?: readonly string[];
  readonly platforms?: readonly string[];
}

/** `test.clock.v1 sun` for a port and a name, `test.clock.v1` for a port. */
function parse(text: string): RequiredPort {
  const [port = '', name] = text.split(' ');
  return name === undefined ? { port } : { port, name };
}

function manifest(name: string, { provides = [], requires = [], platforms }: Sketch): PluginManifest {
  return {
    name,
    version: '1.0.0',
    directory: `/${name}`,
    module: `/${name}/plugin.js`,
    provides: provides.map((it) => ({ name: '', ...parse(it) })),
    requires: requires.map(parse),
    ...(platforms === undefined ? {} : { platforms }),
  };
}

function wire(sketches: Readonly<Record<string, Sketch>>, defaults: Readonly<Record<string, string>> = {}) {
  const manifests = Object.entries(sketches).map(([name, sketch]) => manifest(name, sketch));
  const { order, skipped, faults } = wirePlugins({ manifests, defaults, platform: 'linux-x64' });
  return {
    order: order.map((it) => it.manifest.name),
    skipped: skipped.map((it) => it.manifest.name),
    faults: faults.map(({ kind, plugin, error }) => ({ kind, plugin, message: error.message, hint: error.hint })),
    kinds: faults.map(({ kind, plugin }) => `${plugin}: ${kind}`),
  };
}

describe('the plugin graph', () => {
  it("puts providers before those who need them, and keeps the list's order otherwise", () => {
    const { order, faults } = wire({
      a: { requires: [`${CLOCK} sun`] },
      b: {},
      c: { provides: [`${CLOCK} sun`], requires: [GREETER] },
      d: { provides: [`${GREETER} plain`] },
    });
    assert.deepEqual(faults, []);
    assert.deepEqual(order, ['d', 'c', 'a', 'b']);
  });

  it('leaves out the second plugin that provides a name, and names both', () => {
    const { order, faults } = wire({ a: { provides: [`${CLOCK} sun`] }, b: { provides: [`${CLOCK} sun`] } });
    assert.deepEqual(order, ['a']);
    assert.equal(faults.length, 1);
    assert.equal(faults[0]?.kind, 'duplicate');
    assert.equal(faults[0]?.message, `plugin "b": ${CLOCK} "sun" is provided by "a" already`);
  });

  it('sees a name that one plugin provides twice', () => {
    assert.deepEqual(wire({ a: { provides: [`${CLOCK} sun`, `${CLOCK} sun`] } }).kinds, ['a: duplicate']);
  });

  it('uses the first of two directories with the same package', () => {
    const manifests = [manifest('a', {}), { ...manifest('a', {}), directory: '/elsewhere' }];
    const { order, faults } = wirePlugins({ manifests, defaults: {}, platform: 'linux-x64' });
    assert.deepEqual(
      order.map((it) => it.manifest.directory),
      ['/a'],
    );
    assert.match(faults[0]?.error.message ?? '', /listed twice, in \/a and \/elsewhere/);
  });

  it('tells what is missing and what there is', () => {
    const { faults } = wire({ a: { provides: [`${CLOCK} sun`] }, b: { requires: [`${CLOCK} moon`, GREETER] } });
    assert.deepEqual(faults, [
      {
        kind: 'missing-provider',
        plugin: 'b',
        message: `plugin "b": it needs ${CLOCK} "moon", which no plugin provides`,
        hint: `add a plugin that provides ${CLOCK} "moon"; provided are: "sun"`,
      },
      {
        kind: 'missing-provider',
        plugin: 'b',
        message: `plugin "b": it needs ${GREETER}, which no plugin provides`,
        hint: `add a plugin that provides ${GREETER}; provided are: none`,
      },
    ]);
  });

  it('takes the default where no name is asked for, and never another in its place', () => {
    const clocks = { a: { provides: [`${CLOCK} sun`] }, b: { provides: [`${CLOCK} moon`] }, c: { requires: [CLOCK] } };
    assert.deepEqual(wire(clocks, { [CLOCK]: 'moon' }).order, ['a', 'b', 'c']);
    const none = wire(clocks);
    assert.deepEqual(none.kinds, ['c: missing-provider']);
    assert.match(none.faults[0]?.message ?? '', /which has several providers and no default/);
    assert.match(none.faults[0]?.hint ?? '', /name a default for test\.clock\.v1 .*: "sun", "moon"/);
    const wrong = wire(clocks, { [CLOCK]: 'star' });
    assert.deepEqual(wrong.kinds, ['distribution: distribution', 'c: missing-provider']);
    assert.match(wrong.faults[0]?.message ?? '', /the default of test\.clock\.v1 is "star", which no plugin provides/);
  });

  it('finds every member of a cycle and shows the way round', () => {
    const { order, faults, kinds } = wire({
      a: { provides: ['test.a.v1 x'], requires: ['test.b.v1'] },
      b: { provides: ['test.b.v1 x'], requires: ['test.c.v1'] },
      c: { provides: ['test.c.v1 x'], requires: ['test.a.v1'] },
      self: { provides: ['test.self.v1 x'], requires: ['test.self.v1'] },
      after: { requires: ['test.b.v1'] },
      apart: {},
    });
    assert.deepEqual(order, ['apart']);
    assert.deepEqual(kinds, ['a: cycle', 'b: cycle', 'c: cycle', 'self: cycle', 'after: dependency']);
    assert.equal(faults[1]?.message, 'plugin "b": it needs itself: "b" needs "c" needs "a" needs "b"');
    assert.equal(faults[3]?.message, 'plugin "self": it needs itself: "self" needs "self"');
  });

  it('leaves out all that needs what was left out, and nothing else', () => {
    const { order, kinds } = wire({
      top: { requires: ['test.middle.v1'] },
      middle: { provides: ['test.middle.v1 x'], requires: ['test.bottom.v1'] },
      bottom: { provides: ['test.bottom.v1 x'], requires: ['test.gone.v1'] },
      apart: {},
    });
    assert.deepEqual(order, ['apart']);
    assert.deepEqual(kinds, ['bottom: missing-provider', 'middle: dependency', 'top: dependency']);
  });

  it('tells all faults of all plugins at once', () => {
    const { kinds } = wire(
      {
        a: { provides: [`${CLOCK} sun`] },
        b: { provides: [`${CLOCK} sun`] },
        c: { requires: [GREETER] },
        d: { provides: ['test.d.v1 x'], requires: ['test.d.v1 x'] },
      },
      { 'test.none.v1': 'x' },
    );
    assert.deepEqual(kinds, ['b: duplicate', 'distribution: distribution', 'c: missing-provider', 'd: cycle']);
  });

  it('skips what is for other systems, without a fault', () => {
    const { order, skipped, faults } = wire({
      mac: { platforms: ['darwin'] },
      arm: { platforms: ['linux-arm64'] },
      linux: { platforms: ['linux'] },
      exact: { platforms: ['darwin-arm64', 'linux-x64'] },
    });
    assert.deepEqual([order, skipped, faults], [['linux', 'exact'], ['mac', 'arm'], []]);
  });

  it('says of a needed plugin that it was skipped', () => {
    const { faults } = wire({
      mac: { platforms: ['darwin'], provides: [`${CLOCK} sun`] },
      a: { requires: [`${CLOCK} sun`] },
    });
    assert.match(faults[0]?.message ?? '', /which plugin "mac" would provide, but it was left out/);
  });

  it('accounts for every plugin, and orders what it keeps, whatever the graph', () => {
    const names = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5'];
    const port = fc.constantFrom('test.a.v1', 'test.b.v1', 'test.c.v1', 'test.d.v1', 'test.e.v1');
    const provider = fc.constantFrom('x', 'y');
    const sketch = fc.record({
      provides: fc.array(
        fc.tuple(port, provider).map((it) => it.join(' ')),
        { maxLength: 2 },
      ),
      requires: fc.array(
        fc.oneof(
          port,
          fc.tuple(port, provider).map((it) => it.join(' ')),
        ),
        { maxLength: 2 },
      ),
      platforms: fc.constantFrom(['linux'], ['linux', 'darwin'], ['linux-x64'], ['win32']),
    });
    const sketches = fc.array(sketch, { maxLength: names.length });
    fc.assert(
      fc.property(sketches, fc.dictionary(port, provider), (list, defaults) => {
        const manifests = list.map((it, i) => manifest(names[i] ?? '', it));
        const { order, skipped, faults } = wirePlugins({ manifests, defaults, platform: 'linux-x64' });
        const left = new Set(faults.map(({ plugin }) => plugin));
        const placed: string[] = [];
        for (const { manifest: it, wires } of order) {
          assert.ok(
            wires.every(({ provider: needed }) => placed.includes(needed.name)),
            'providers come first',
          );
          assert.equal(wires.length, it.requires.length);
          placed.push(it.name);
        }
        for (const { name } of manifests) {
          const fates = [placed.includes(name), skipped.some((it) => it.manifest.name === name), left.has(name)];
          assert.equal(fates.filter(Boolean).length, 1, `${name} is in order, skipped or faulted`);
        }
      }),
      { numRuns: 500 },
    );
  });
});
