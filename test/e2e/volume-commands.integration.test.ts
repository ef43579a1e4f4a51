import assert from 'node:assert/strict';
import { BoxCli, stopSupervisor } from './support/box-cli.ts';

describe('volume commands without a box', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  async function output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(['volume', ...args]);
    assert.equal(code, 0, `volume ${args.join(' ')}: ${stderr}`);
    return stdout.toString();
  }

  it('keep what they are told of a volume [volume create --label, volume create --driver, volume ls --format, volume inspect --format]', async () => {
    assert.equal(await output('create', '--driver', 'local', '--label', 'a=b', 'one'), 'one\n');
    assert.equal(await output('ls', '--format', '{{.Driver}} {{.Name}} {{.Labels}}'), 'local one a=b\n');
    assert.equal(await output('inspect', '--format', '{{.Driver}} {{json .Labels}}', 'one'), 'local {"a":"b"}\n');
    const other = await cli.run(['volume', 'create', '--driver', 'nfs', 'two']);
    assert.deepEqual([other.code, /nfs/.test(other.stderr)], [125, true], other.stderr);
  });

  it('take no notice of what is not there with -f [volume rm --force]', async () => {
    assert.notEqual((await cli.run(['volume', 'rm', 'nothing'])).code, 0);
    assert.equal((await cli.run(['volume', 'rm', '-f', 'nothing'])).code, 0);
  });

  it('remove all that no box has, of those with a label, unasked [volume prune --all, volume prune --filter, volume prune --force]', async () => {
    await output('create', 'two');
    await output('prune', '--force');
    assert.equal(await output('ls', '-q'), 'one\ntwo\n');
    await output('prune', '--all', '--force', '--filter', 'label=a=b');
    assert.equal(await output('ls', '-q'), 'two\n');
    await output('prune', '--all', '--force');
    assert.equal(await output('ls', '-q'), '');
  });

  it('are told of, and kept over supervisors', async () => {
    const run = async (...args: string[]) => (await cli.run(args)).stdout.toString();
    await run('tag', 'a3s/starter', 'told:1');
    await run('volume', 'create', '--label', 'told=yes', 'told');
    await stopSupervisor(cli.home);
    await run('volume', 'rm', 'told');
    await run('rmi', 'told:1');
    const until = String(Date.now() / 1000);
    const events = await run(
      'events',
      '--since',
      '1h',
      '--until',
      until,
      '--format',
      '{{.Type}} {{.Action}} {{.Actor.ID}}',
    );
    const told = events.split('\n').filter((line) => / told$|^image/.test(line));
    assert.match(
      told.join('\n'),
      /^(image load sha256:\w+\n)*image tag sha256:(\w+)\nvolume create told\nvolume destroy told\nimage untag sha256:\2$/,
    );
  });
});
