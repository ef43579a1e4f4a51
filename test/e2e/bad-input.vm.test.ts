import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BoxClient } from '@a3s-box/core/client';
import { tempHome } from '../support/temp-home.ts';
import { BoxCli } from './support/box-cli.ts';
import { processGone } from './support/sdk-home.ts';

const IMAGE = 'a3s/starter';

describe('what cannot be done', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  /** Fails as our own failures do, with words that say why, and leaves nothing. */
  async function refused(args: readonly string[], words: RegExp, env: Readonly<Record<string, string>> = {}) {
    const { code, stdout, stderr } = await cli.run(args, { env });
    assert.equal(code, 125, stderr);
    assert.match(stderr, words);
    assert.equal(stdout.toString(), '');
  }

  it('a name that is taken or not valid', async () => {
    assert.equal((await cli.run(['run', '-d', '--name', 'one', IMAGE, 'sleep', '1000'])).code, 0);
    await refused(['run', '-d', '--name', 'one', IMAGE, 'true'], /name "one" is in use[^]*hint: choose another/);
    for (const name of ['-x', 'a b', 'ä', 'x'.repeat(200), '/etc']) {
      await refused(['run', '-d', `--name=${name}`, IMAGE, 'true'], /name/);
    }
    assert.equal((await cli.run(['ps', '-a', '--format', '{{.Names}}'])).stdout.toString(), 'one\n');
    assert.equal((await cli.run(['rm', '-f', 'one'])).code, 0);
  });

  it('memory below what boots, and more than there can be', async () => {
    await refused(['run', '--rm', '-m', '8m', IMAGE, 'true'], /8 MiB/);
    await refused(['run', '--rm', '-m', '100000g', IMAGE, 'true'], /memory|MiB/);
    assert.equal((await cli.run(['ps', '-aq'])).stdout.toString(), '');
  });

  it('a home on a path that is too long, or that is not a directory of this user’s', async () => {
    await using other = await tempHome();
    const long = join(other.path, 'x'.repeat(100));
    await refused(['ps'], /too long for the sockets[^]*A3S_BOX_HOME/, { A3S_BOX_HOME: long });
    const file = join(other.path, 'file');
    writeFileSync(file, '');
    await refused(['ps'], /cannot be used/, { A3S_BOX_HOME: file });
    const open = join(other.path, 'open');
    mkdirSync(open);
    writeFileSync(join(open, 'something'), '');
    chmodSync(open, 0o755);
    await refused(['ps'], /other users have access[^]*chmod 700/, { A3S_BOX_HOME: open });
  });

  it('a damaged database, which is explained and kept', async () => {
    await using other = await tempHome();
    const path = join(other.path, 'state.db');
    const damaged = Buffer.alloc(8192, 'not a database');
    writeFileSync(path, damaged);
    await refused(['ps'], /state\.db is damaged[^]*left as it is/, { A3S_BOX_HOME: other.path });
    assert.ok(damaged.equals(readFileSync(path)));
  });

  it('a database of a newer version', async () => {
    await using other = await tempHome();
    const env = { A3S_BOX_HOME: other.path };
    assert.equal((await cli.run(['ps'], { env })).code, 0);
    await stopSupervisorOf(other.path);
    const { DatabaseSync } = await import('node:sqlite');
    using database = new DatabaseSync(join(other.path, 'state.db'));
    database.exec('PRAGMA user_version = 1000');
    database.close();
    await refused(['ps'], /made by a newer a3s-box/, env);
  });
});

async function stopSupervisorOf(home: string): Promise<void> {
  const client = await BoxClient.connect({ home });
  await client.stopSupervisor();
  client.close();
  await processGone(client.supervisor.pid);
}
