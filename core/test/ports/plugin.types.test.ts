/**
 * What must and must not compile. Checked by `npm run lint` (tsconfig.test.json): a line marked `@ts-expect-error` that
 * compiles is an error there.
 */
import assert from 'node:assert/strict';
import { definePlugin, definePort, isSkipPlugin, SkipPlugin, type Port, type Requirement } from '@a3s-box/core';

interface Clock {
  now(): number;
}
interface Greeter {
  greet(name: string): string;
}
const ClockPort = definePort<Clock>('test.clock.v1');
const GreeterPort = definePort<Greeter>('test.greeter.v1');

const clock: Clock = { now: () => 7 };
const greeter: Greeter = { greet: (name) => `hello ${name}` };
const provides = { greeter: { port: GreeterPort, name: 'plain' } } as const;
const requires = { clock: { port: ClockPort } } as const;

const whole = definePlugin({
  provides,
  requires,
  activate: async (_context, required) => {
    required.clock.now() satisfies number;
    // @ts-expect-error a service that was not asked for is not there
    void required.network;
    return { services: { greeter } };
  },
});

definePlugin({
  provides,
  requires,
  // @ts-expect-error the service is of another port
  activate: async () => ({ services: { greeter: clock } }),
});

definePlugin({
  provides,
  requires,
  // @ts-expect-error a service is missing
  activate: async () => ({ services: {} }),
});

definePlugin({
  provides: {},
  requires,
  activate: async (_context, required) => {
    // @ts-expect-error a service of the port has no such method
    required.clock.greet('x');
    return { services: {} };
  },
});

definePlugin({
  // @ts-expect-error a provision has a name
  provides: { greeter: { port: GreeterPort } },
  requires: {},
  // @ts-expect-error and so nothing is known of its services
  activate: async () => ({ services: { greeter } }),
});

// @ts-expect-error ports of different contracts are different types
GreeterPort satisfies Port<Clock>;

describe('definePlugin', () => {
  it('gives a frozen value that keeps what the author wrote', () => {
    assert.ok(Object.isFrozen(whole));
    assert.equal(whole.provides['greeter']?.port.id, 'test.greeter.v1');
    assert.equal((whole.requires['clock'] as Requirement).name, undefined);
  });
});

describe('definePort', () => {
  for (const id of ['a3s-box.hypervisor.v1', 'x.v12', 'a.b.c-d.v9']) {
    it(`takes ${id}`, () => assert.equal(definePort(id).id, id));
  }
  for (const id of ['', 'hypervisor', 'a.v0', 'A.v1', 'a.v1.', '.v1', 'a..v1', 'a.v01']) {
    it(`refuses ${JSON.stringify(id)}`, () => assert.throws(() => definePort(id), TypeError));
  }
});

describe('SkipPlugin', () => {
  it('is known by its brand, of whatever copy of the package', () => {
    assert.ok(isSkipPlugin(new SkipPlugin('no place here')));
    assert.ok(isSkipPlugin({ [Symbol.for('a3s-box.skip-plugin.v1')]: true }));
    assert.ok(!isSkipPlugin(new Error('no place here')));
  });
});
