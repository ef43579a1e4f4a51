import assert from 'node:assert/strict';
import type { BoxSpec } from '../../dist/box/box-spec.js';
import { compileExecProcess, compileOciConfig, type OciProcess } from '../../dist/box/oci-config.js';
import type { ImageConfig } from '../../dist/index.js';

const image = (change: Partial<ImageConfig> = {}): ImageConfig => ({
  env: [],
  exposedPorts: [],
  volumes: [],
  labels: {},
  ...change,
});
const spec = (change: Partial<BoxSpec> = {}): BoxSpec => ({
  image: 'img',
  environment: [],
  terminal: false,
  stdinOpen: false,
  autoRemove: false,
  labels: {},
  ...change,
});
const processOf = (box: BoxSpec, of: ImageConfig) => compileOciConfig(box, of, 'host')['process'] as OciProcess;

describe('compileOciConfig', () => {
  it('joins entrypoint and command as Docker does', () => {
    const both = image({ entrypoint: ['/entry'], cmd: ['default'] });
    assert.deepEqual(processOf(spec(), both).args, ['/entry', 'default']);
    assert.deepEqual(processOf(spec({ command: ['a', 'b'] }), both).args, ['/entry', 'a', 'b']);
    assert.deepEqual(processOf(spec({ entrypoint: ['/other'] }), both).args, ['/other']);
    assert.deepEqual(processOf(spec({ entrypoint: [], command: ['ls'] }), both).args, ['ls']);
  });

  it('refuses a box that nobody gave a command', () => {
    assert.throws(() => compileOciConfig(spec(), image(), 'host'), { code: 'INVALID_ARGUMENT', message: /no command/ });
  });

  it('takes away a variable of the image that is named without a value', () => {
    const { env } = processOf(spec({ environment: ['A'] }), image({ cmd: ['x'], env: ['A=image', 'B=image'] }));
    assert.ok(env.includes('B=image'));
    assert.ok(!env.some((variable) => variable.startsWith('A')));
  });

  it('lets the user’s environment win over the image’s, and that over the defaults', () => {
    const { env } = processOf(
      spec({ environment: ['A=user'] }),
      image({ cmd: ['x'], env: ['A=image', 'PATH=/image'] }),
    );
    assert.deepEqual(env, ['PATH=/image', 'HOSTNAME=host', 'A=user']);
  });

  it('sets TERM with a terminal only, and keeps a given one', () => {
    const of = image({ cmd: ['x'] });
    assert.ok(!processOf(spec(), of).env.some((variable) => variable.startsWith('TERM=')));
    assert.ok(processOf(spec({ terminal: true }), of).env.includes('TERM=xterm'));
    assert.ok(!processOf(spec({ terminal: true, environment: ['TERM=vt100'] }), of).env.includes('TERM=xterm'));
  });

  it('turns a part of a CPU into a quota and whole ones into none', () => {
    const resources = (nanoCpus: number) =>
      (compileOciConfig(spec({ command: ['x'], nanoCpus }), image(), 'h')['linux'] as { resources: unknown }).resources;
    assert.deepEqual(resources(1.5e9), { cpu: { quota: 150_000, period: 100_000 } });
    assert.deepEqual(resources(2e9), {});
  });

  it('gives an exec the box’s user, directory and environment unless it has its own', () => {
    const box = spec({ user: 'nobody', workingDirectory: '/w', environment: ['A=1'] });
    const request = { args: ['id'], environment: ['B=2'], terminal: false };
    const process = compileExecProcess(request, box, image(), 'host');
    assert.equal(process.user.username, 'nobody');
    assert.equal(process.cwd, '/w');
    assert.ok(process.env.includes('A=1') && process.env.includes('B=2'));
    assert.equal(compileExecProcess({ ...request, user: '0:0' }, box, image(), 'host').user.username, '0:0');
  });
});
