import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { BoxCli, stopSupervisor } from './support/box-cli.ts';

describe('watching a home without a box', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  async function output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args);
    assert.equal(code, 0, `a3s-box ${args.join(' ')}: ${stderr}`);
    return stdout.toString();
  }
  const now = () => String(Date.now() / 1000);

  it('shows who changed what, from a time to a time [system audit --since, system audit --until, system audit --format]', async () => {
    await output('volume', 'create', 'early');
    const since = now();
    await output('volume', 'create', 'late');
    assert.notEqual((await cli.run(['volume', 'rm', 'nothing'])).code, 0);
    const until = now();
    await output('volume', 'rm', 'late');
    const format = '{{.UID}} {{.Operation}} {{.Subject}} {{.Outcome}}';
    const uid = process.getuid?.();
    assert.deepEqual(
      (await output('system', 'audit', '--since', since, '--until', until, '--format', format)).trim().split('\n'),
      [
        `${uid} Volumes.Create late begun`,
        `${uid} Volumes.Create late ok`,
        `${uid} Volumes.Remove nothing begun`,
        `${uid} Volumes.Remove nothing NOT_FOUND`,
      ],
    );
    assert.match(
      await output('system', 'audit'),
      /^\S+Z [0-9a-f]{16} uid=\d+ pid=\d+ Volumes\.Create early begun \{\}$/m,
    );
  });

  it('serves metrics where it is told to, also under the next supervisor, until it is told not to [system metrics --listen, system metrics --off]', async () => {
    const socketPath = `${cli.home}/m.sock`;
    assert.equal(await output('system', 'metrics'), 'off\n');
    const wide = await cli.run(['system', 'metrics', '--listen', '0.0.0.0:9323']);
    assert.notEqual(wide.code, 0);
    assert.match(wide.stderr, /0\.0\.0\.0:9323.*not the loopback/);
    assert.equal(await output('system', 'metrics', '--listen', `unix:${socketPath}`), `unix:${socketPath}\n`);
    await stopSupervisor(cli.home);
    assert.equal(await output('system', 'metrics'), `unix:${socketPath}\n`);
    assert.match(await scrape(socketPath), /^a3s_box_boxes\{state="running"\} 0$/m);
    assert.equal(await output('system', 'metrics', '--off'), 'off\n');
    await assert.rejects(scrape(socketPath), { code: 'ENOENT' });
  });
});

function scrape(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: '/metrics' }, (response) => void text(response).then(resolve, reject))
      .on('error', reject)
      .end();
  });
}
