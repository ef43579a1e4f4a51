/** A guest that takes itself to be the master of the files that its host shows it: root, with all capabilities. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tarEnd, tarHeader } from '../../core/dist/tar/tar-writer.js';
import { needs } from '../support/skip.ts';
import { BoxCli } from './support/box-cli.ts';

const SET_ID = 0o6000;

describe('a hostile guest with binds', function () {
  let cli: BoxCli;
  let host: string;
  const path = (name: string): string => join(host, name);

  /** Runs each attempt; @returns those that succeeded, and what they printed */
  async function attempt(attempts: readonly string[]): Promise<readonly string[]> {
    const script = attempts.map((one) => `(${one}) 2>/dev/null && echo ${JSON.stringify(`done: ${one}`)}`).join('\n');
    const { stdout } = await cli.run(['exec', '--privileged', 'box', 'sh', '-c', `${script}\ntrue`]);
    return stdout.toString().split('\n').filter(Boolean);
  }

  before(async function () {
    needs(this, process.getuid?.() === 0, 'root');
    cli = await BoxCli.create();
    host = mkdtempSync(join(tmpdir(), 'hostile-'));
    for (const name of ['rw', 'ro', 'secret', 'ro/directory']) mkdirSync(path(name));
    for (const name of ['ro/file', 'secret/file', 'rw/program', 'single']) writeFileSync(path(name), `${name}\n`);
    chmodSync(path('rw/program'), 0o6755);
    symlinkSync(path('secret'), path('rw/out'));
    symlinkSync('../secret/file', path('rw/up'));
    const binds = [`${path('rw')}:/rw`, `${path('ro')}:/ro:ro`, `${path('single')}:/single:ro`];
    const options = ['--privileged', '-m', '256m', ...binds.flatMap((bind) => ['-v', bind])];
    const { code, stderr } = await cli.run(['run', '-d', '--name', 'box', ...options, 'a3s/starter', 'sleep', '10000']);
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    if (host) rmSync(host, { recursive: true });
  });

  it('takes all protection off its mounts, and sees the whole share', async () => {
    const taken = await attempt([
      'mount -o remount,rw,dev,suid,bind /ro',
      'mount -o remount,rw,bind /single',
      'mount -o remount,dev,suid,bind /rw',
      'mkdir -p /share && mount -t virtiofs share /share && ls /share',
    ]);
    assert.deepEqual(
      taken.filter((line) => !line.startsWith('done: ')),
      ['v0', 'v1', 'v2'],
    );
    assert.equal(taken.length, 7, taken.join('\n'));
  });

  it('writes nothing where it was not to', async () => {
    const targets = ['/ro', '/share/v1'].flatMap((at) => [
      ...[`echo x > ${at}/file`, `echo x > ${at}/new`, `rm -f ${at}/file && test ! -e ${at}/file`, `mkdir ${at}/new`],
      ...[`chmod 777 ${at}/file`, `chown 1:1 ${at}/file`, `touch -d @1 ${at}/file`, `mv ${at}/file ${at}/other`],
      ...[`ln ${at}/file ${at}/link`, `rmdir ${at}/directory`, `mount -o remount,rw ${at} && echo x > ${at}/new`],
    ]);
    const single = ['echo x > /single', 'echo x > /share/v2', 'echo x >> /share/v2'];
    const tree = [
      'mkdir /share/new',
      'mv /share/v0 /share/v9',
      'rmdir /share/v1',
      'ln -s / /share/root',
      'rm -f /share/v2 && test ! -e /share/v2',
    ];
    assert.deepEqual(await attempt([...targets, ...single, ...tree]), []);
    assert.deepEqual(readdirSync(path('ro')), ['directory', 'file']);
    assert.deepEqual(
      [readFileSync(path('ro/file'), 'utf8'), readFileSync(path('single'), 'utf8')],
      ['ro/file\n', 'single\n'],
    );
    const { mode, nlink, uid, mtimeMs } = lstatSync(path('ro/file'));
    assert.deepEqual([mode & 0o7777, nlink, uid, mtimeMs > 10_000], [0o644, 1, 0, true]);
  });

  it('leads neither itself nor its host out of what it was given', async () => {
    const ways = [
      '/rw/out/file',
      '/rw/up',
      '/rw/../secret/file',
      '/share/../secret/file',
      '/share/v0/../../secret/file',
    ];
    const links = ['ln /ro/file /rw/hard', 'ln /share/v1/file /share/v0/hard', 'ln /share/v2 /share/v0/hard'];
    assert.deepEqual(await attempt([...ways.map((way) => `grep secret ${way}`), ...links]), []);
    const own = ['ln -s /etc/passwd /rw/passwd', 'ln -s ../../../etc/passwd /rw/dots', 'mkdir /rw/d && mv /rw/d /rw/e'];
    assert.equal((await attempt(own)).length, own.length);
    assert.deepEqual(readdirSync(host).sort(), ['ro', 'rw', 'secret', 'single']);
    assert.deepEqual(readdirSync(path('secret')), ['file']);
  });

  it('makes no devices, and no programs that give rights', async () => {
    const made = await attempt([
      ...['/rw', '/share/v0'].flatMap((at) => [
        ...[`mknod ${at}/block b 254 0`, `mknod ${at}/char c 1 1`, `cp -a /dev/null ${at}/null`],
        ...[`cp /bin/busybox ${at}/sh && chmod 4755 ${at}/sh`, `chmod 2755 ${at}/sh`, `chmod u+s ${at}/e`],
      ]),
      'mkdir -m 4755 /rw/directory && test -u /rw/directory',
      'echo more >> /rw/program',
    ]);
    assert.deepEqual(made, ['done: echo more >> /rw/program']);
    assert.equal(lstatSync(path('rw/program')).mode & SET_ID, 0, 'what it wrote to gives no rights');
    for (const name of readdirSync(path('rw'))) {
      const status = lstatSync(path(`rw/${name}`));
      assert.ok(!status.isBlockDevice() && !status.isCharacterDevice(), name);
      assert.equal(status.mode & SET_ID, 0, name);
    }
  });

  it('gives no file a capability', async () => {
    const value = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const member = {
      name: 'capable',
      type: 'file',
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: 1,
      mtimeNanoseconds: 0,
      size: 0,
    };
    const header = tarHeader({ ...member, type: 'file', xattrs: [{ name: 'security.capability', value }] });
    const { code, stderr } = await cli.run(['cp', '-', 'box:/rw'], { stdin: Buffer.concat([header, tarEnd()]) });
    assert.equal(code, 125);
    assert.match(stderr, /"capable": Operation not permitted/);
    const options = ['-c', '--xattrs', '--xattrs-include=*', '-C', host, 'rw'];
    const shown = execFileSync('tar', options, { maxBuffer: 2 ** 26 });
    assert.doesNotMatch(shown.toString('latin1'), /security\.capability/);
  });
});
