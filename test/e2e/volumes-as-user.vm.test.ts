import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { skip } from '../support/skip.ts';
import { BIN } from './support/box-cli.ts';

const USER = 65534;
const root = join(import.meta.dirname, '../..');
const AS_USER = ['setpriv', '--reuid', String(USER), '--regid', String(USER), '--clear-groups'];

describe('binds of an ordinary user', () => {
  let directory: string;
  const at = (name: string): string => join(directory, name);

  async function run(...command: string[]): Promise<string> {
    const [program = '', ...args] = [...AS_USER, ...command];
    const env = { PATH: process.env['PATH'], HOME: directory, A3S_BOX_HOME: at('home') };
    return (await promisify(execFile)(program, args, { env, cwd: directory })).stdout;
  }

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'it becomes another user, which root alone can');
    try {
      execFileSync(AS_USER[0] ?? '', [...AS_USER.slice(1), 'test', '-x', BIN, '-a', '-r', join(root, 'node_modules')]);
    } catch {
      skip(this, 'the checkout lies where other users cannot go');
    }
    directory = await mkdtemp('/tmp/u-');
    await Promise.all([mkdir(at('home')), mkdir(at('files'))]);
    await writeFile(at('files/mine'), 'mine\n');
    await writeFile(at('files/root'), 'of root\n');
    for (const name of ['', 'home', 'files', 'files/mine']) await chown(at(name), USER, USER);
    await chmod(at('home'), 0o700);
  });
  after(async () => {
    if (directory === undefined) return;
    const stop =
      'const c = await BoxClient.connect({ home: process.env.A3S_BOX_HOME }); await c.stopSupervisor(); c.close()';
    const program = `const { BoxClient } = await import('${join(root, 'core/dist/client/index.js')}'); ${stop}`;
    await run(process.execPath, '--input-type=module', '-e', program);
    await rm(directory, { recursive: true, maxRetries: 10, retryDelay: 200 });
  });

  it('are the box’s user’s, and what he makes is theirs', async () => {
    await run(process.execPath, join(root, 'scripts/starter.ts'));
    const script =
      'cd /files; stat -c %u:%g mine root . ; echo new > new; stat -c %u new; ! chmod u+s new 2>/dev/null && echo no';
    const volumes = ['-v', `${at('files')}:/files`, '-u', '1000:100'];
    const output = await run(BIN, 'run', '--rm', ...volumes, 'a3s/starter', 'sh', '-c', script);
    assert.equal(output, '1000:100\n65534:65534\n1000:100\n1000\nno\n');
    const { uid, gid, mode } = await stat(at('files/new'));
    assert.deepEqual([uid, gid, mode & 0o7000], [USER, USER, 0]);
    assert.deepEqual((await readdir(at('files'))).sort(), ['mine', 'new', 'root']);
  });
});
