import assert from 'node:assert/strict';
import { needs } from '../support/skip.ts';
import { BoxCli } from './support/box-cli.ts';

interface Template {
  readonly key: string;
  readonly sizeBytes: number;
  readonly shape?: {
    readonly backend: string;
    readonly vcpus: number;
    readonly memoryBytes: number;
    readonly network: boolean;
  };
}

describe('template commands', () => {
  let cli: BoxCli;
  let backend: string;
  before(async function () {
    needs(this, process.env['A3S_BOX_KVM_HOST'] === undefined, 'a backend that makes templates');
    cli = await BoxCli.create();
    const info = JSON.parse((await cli.run(['info', '--json'])).stdout.toString()) as { chosenBackend: string };
    backend = info.chosenBackend;
  });
  after(() => cli?.[Symbol.asyncDispose]());

  const list = async () =>
    JSON.parse((await cli.run(['template', 'ls', '--json'])).stdout.toString()) as readonly Template[];

  it('make one of the shape that is asked for, once [template create --backend, template create --cpus, template create --memory, template create --network, template ls --json, template ls --format]', async () => {
    const before = (await list()).map(({ key }) => key);
    const shape = ['--backend', backend, '--cpus', '2', '-m', '300m', '--network', 'none'];
    const made = await cli.run(['template', 'create', ...shape]);
    assert.equal(made.code, 0, made.stderr);
    const key = made.stdout.toString().trim();
    assert.ok(!before.includes(key));
    const template = (await list()).find((one) => one.key === key);
    assert.deepEqual(template?.shape, { backend, vcpus: 2, memoryBytes: 300 * 2 ** 20, network: false });
    assert.equal((await cli.run(['template', 'create', ...shape])).stdout.toString().trim(), key);
    const line = await cli.run(['template', 'ls', '--format', '{{.Key}}']);
    assert.ok(line.stdout.toString().split('\n').includes(key.slice(0, 12)), line.stdout.toString());
    const unknown = await cli.run(['template', 'create', '--backend', 'nothing']);
    assert.deepEqual([unknown.code, /nothing/.test(unknown.stderr)], [125, true]);
  });

  it('remove those that were used least recently, and leave as much as is to be kept [template prune --keep]', async () => {
    const [last] = await list();
    assert.ok(last && (await list()).length > 1);
    assert.equal((await cli.run(['template', 'prune', '--keep', String(last.sizeBytes)])).code, 0);
    assert.deepEqual(
      (await list()).map(({ key }) => key),
      [last.key],
    );
    assert.equal((await cli.run(['template', 'prune'])).code, 0);
    assert.deepEqual(await list(), []);
  });
});
