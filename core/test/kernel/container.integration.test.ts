import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Container } from '@a3s-box/core/host';
import type * as Services from './fixtures/services/services.ts';
import { linkPackage, temporaryDirectory } from './support.ts';

const repository = join(import.meta.dirname, '../../..');

describe('the container, with classes that the compiler wrote', () => {
  let services: typeof Services;
  let out: ReturnType<typeof temporaryDirectory>;

  before(async () => {
    const tsc = join(repository, 'node_modules/.bin/tsc');
    const project = join(import.meta.dirname, 'fixtures/services');
    out = temporaryDirectory();
    linkPackage(out.path, '@a3s-box/core', join(repository, 'core'));
    execFileSync(process.execPath, [tsc, '-p', project, '--outDir', out.path], { stdio: 'pipe' });
    services = (await import(pathToFileURL(join(out.path, 'services.js')).href)) as typeof Services;
  });

  after(() => out[Symbol.dispose]());

  it('makes each service once, what it needs first, and disposes in reverse', async () => {
    const { Car, ClockToken, Engine, garage, trace } = services;
    const container = garage();
    const car = container.resolve(Car);
    assert.equal(car.clock, container.resolve(ClockToken));
    assert.equal(car.clock.now(), 7);
    assert.equal(car.engine, container.resolve(Engine));
    assert.equal(container.resolve(Car), car);
    await container.dispose();
    assert.deepEqual(trace, ['+engine', '+car', '-car', '-engine']);
  });

  it('refuses a parameter of which only an interface is known', () => {
    const { ClockToken, Unmarked } = services;
    const container = new Container().registerSingleton(Unmarked).registerValue(ClockToken, { now: () => 7 });
    assert.throws(() => container.resolve(Unmarked), {
      code: 'INTERNAL',
      message: 'services: Unmarked does not @inject() its parameter 1',
    });
  });
});
