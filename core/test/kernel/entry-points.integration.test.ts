import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

/** Packages that a fresh process loads for a module, apart from ours. */
function packagesLoadedBy(specifier: string): readonly string[] {
  const script = `
    import { registerHooks } from 'node:module';
    const packages = new Set();
    registerHooks({
      load(url, context, next) {
        const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url)?.[1];
        if (name) packages.add(name);
        return next(url, context);
      },
    });
    await import(${JSON.stringify(specifier)});
    console.log(JSON.stringify([...packages]));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return JSON.parse(output) as string[];
}

const HEAVY = ['pino', 'tsyringe', 'reflect-metadata', 'ajv'];

describe('entry points', () => {
  it('plugins load neither container nor logger with @a3s-box/core', () => {
    const loaded = packagesLoadedBy('@a3s-box/core');
    assert.deepEqual(
      loaded.filter((name) => [...HEAVY, '@grpc/grpc-js'].includes(name)),
      [],
    );
  });

  it('clients load neither container nor logger with @a3s-box/core/client', () => {
    const loaded = packagesLoadedBy('@a3s-box/core/client');
    assert.deepEqual(
      loaded.filter((name) => HEAVY.includes(name)),
      [],
    );
  });

  it('hosts load no schema compiler before a plugin has settings', () => {
    const loaded = packagesLoadedBy('@a3s-box/core/host');
    assert.ok(loaded.includes('tsyringe'), 'the check sees what is loaded');
    assert.ok(!loaded.includes('ajv'));
  });
});
