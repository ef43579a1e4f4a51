/** Files in and out of boxes, with the command line, of a box that runs. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxCli, type Outcome } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';

describe('a3s-box cp', () => {
  let cli: BoxCli;
  let host: string;

  before(async () => {
    cli = await BoxCli.create();
    host = mkdtempSync(join(tmpdir(), 'cp-'));
    mkdirSync(join(host, 'src/sub'), { recursive: true });
    writeFileSync(join(host, 'src/a'), 'hello\n');
    chmodSync(join(host, 'src/a'), 0o640);
    if (process.getuid?.() === 0) chownSync(join(host, 'src/a'), 1234, 5678);
    writeFileSync(join(host, 'src/sub/b'), Buffer.alloc(300_000, 'b'));
    symlinkSync('a', join(host, 'src/link'));
    ok(await cli.run(['run', '-d', '--name', 'web', '-m', '256m', IMAGE, 'sleep', '3600']));
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    rmSync(host, { recursive: true, force: true });
  });

  const sh = async (script: string): Promise<string> => {
    const { stdout } = ok(await cli.run(['exec', 'web', 'sh', '-c', script]));
    return stdout.toString();
  };

  it('makes a directory of the box from one of the host, and its files root’s', async () => {
    const { stderr } = ok(await cli.run(['cp', join(host, 'src'), 'web:/tmp/new']));
    assert.match(stderr, /^Successfully copied 300kB to web:\/tmp\/new$/m);
    assert.equal(
      await sh('cd /tmp/new && stat -c "%n %a %u:%g" a && cat a && readlink link && md5sum < sub/b'),
      `a 640 0:0\nhello\na\n${execFileSync('md5sum', { input: Buffer.alloc(300_000, 'b') })}`,
    );
  });

  it('puts a directory into one that is there, and what is in it with "/."', async () => {
    ok(await cli.run(['cp', join(host, 'src'), 'web:/tmp/new']));
    ok(await cli.run(['cp', `${join(host, 'src')}/.`, 'web:/tmp/new/sub']));
    assert.equal(await sh('cd /tmp/new && ls src sub'), 'src:\na\nlink\nsub\n\nsub:\na\nb\nlink\nsub\n');
  });

  it('keeps owners on the way in and out [cp --archive]', async function () {
    if (process.getuid?.() !== 0) this.skip();
    ok(await cli.run(['cp', '-a', join(host, 'src/a'), 'web:/tmp/kept']));
    assert.equal(await sh('stat -c "%a %u:%g" /tmp/kept'), '640 1234:5678\n');
    ok(await cli.run(['cp', '-a', 'web:/tmp/kept', join(host, 'kept')]));
    ok(await cli.run(['cp', 'web:/tmp/kept', join(host, 'own')]));
    const owners = ['kept', 'own'].map((name) => statSync(join(host, name))).map(({ uid, gid }) => `${uid}:${gid}`);
    assert.deepEqual(owners, ['1234:5678', `0:${process.getgid?.()}`]);
  });

  it('follows the link that a source is [cp --follow-link]', async () => {
    ok(await cli.run(['cp', '-L', join(host, 'src/link'), 'web:/tmp/followed']));
    ok(await cli.run(['cp', join(host, 'src/link'), 'web:/tmp/as-it-is']));
    assert.equal(await sh('cat /tmp/followed; readlink /tmp/as-it-is'), 'hello\na\n');
    ok(await cli.run(['cp', '-L', 'web:/tmp/new/link', join(host, 'out-followed')]));
    assert.equal(readFileSync(join(host, 'out-followed'), 'utf8'), 'hello\n');
    assert.ok(statSync(join(host, 'out-followed')).isFile());
  });

  it('says nothing [cp --quiet]', async () => {
    assert.equal(ok(await cli.run(['cp', '-q', join(host, 'src/a'), 'web:/tmp/quiet'])).stderr, '');
  });

  it('copies to the host what the box has', async () => {
    ok(await cli.run(['cp', 'web:/tmp/new/.', join(host, 'out')]));
    assert.equal(readFileSync(join(host, 'out/src/a'), 'utf8'), 'hello\n');
    assert.equal(statSync(join(host, 'out/src/a')).mode & 0o7777, 0o640);
    assert.equal(statSync(join(host, 'out/src/sub/b')).size, 300_000);
    ok(await cli.run(['cp', 'web:/tmp/new/a', `${join(host, 'out')}/`]));
    assert.equal(readFileSync(join(host, 'out/a'), 'utf8'), 'hello\n');
  });

  it('reads and writes archives', async () => {
    const { stdout } = ok(await cli.run(['cp', 'web:/tmp/new/src', '-']));
    const listed = execFileSync('tar', ['t'], { input: stdout, encoding: 'utf8' });
    assert.deepEqual(listed.split('\n').filter(Boolean), ['src/', 'src/a', 'src/link', 'src/sub/', 'src/sub/b']);
    ok(await cli.run(['cp', '-', 'web:/root'], { stdin: stdout }));
    assert.equal(await sh('cat /root/src/a'), 'hello\n');
  });

  it('copies within a box and keeps owners', async () => {
    await sh('echo one > /tmp/one; chown 7:8 /tmp/one');
    ok(await cli.run(['cp', 'web:/tmp/one', 'web:/root/']));
    assert.equal(await sh('stat -c %u:%g /root/one'), '7:8\n');
  });

  it('refuses what Docker refuses', async () => {
    const refused = async (args: string[], pattern: RegExp) => {
      const { code, stderr } = await cli.run(['cp', ...args]);
      assert.equal(code, 125, stderr);
      assert.match(stderr, pattern);
    };
    await refused(['web:/nothing', host], /no "\/nothing"/);
    await refused([join(host, 'nothing'), 'web:/tmp'], /no such file/);
    await refused([join(host, 'src'), 'web:/etc/passwd'], /cannot copy a directory: "\/etc\/passwd" is a file/);
    await refused([join(host, 'src/a'), 'web:/tmp/no-such/'], /no directory "\/tmp\/no-such\/"/);
    await refused([join(host, 'src/a'), 'web:/no/such/file'], /no "\/no\/such\/"|no "\/no\/"/);
    await refused(['-', 'web:/etc/passwd'], /must be a directory/);
    await refused([join(host, 'src/a'), join(host, 'b')], /neither source nor destination/);
    await refused(['web:/dev/null', host], /is a device/);
  });

  it('does not leave the box’s root through its links', async () => {
    await sh('ln -s /../../../../etc /tmp/up; mkdir -p /tmp/deep; ln -s / /tmp/deep/root');
    ok(await cli.run(['cp', join(host, 'src/a'), 'web:/tmp/up/in-etc']));
    assert.equal(await sh('cat /etc/in-etc'), 'hello\n');
    const { stdout } = ok(await cli.run(['cp', 'web:/tmp/deep', '-']));
    assert.equal(execFileSync('tar', ['t'], { input: stdout, encoding: 'utf8' }), 'deep/\ndeep/root\n');
  });

  it('does not follow links of the host on the way out', async () => {
    mkdirSync(join(host, 'trap'));
    mkdirSync(join(host, 'elsewhere'));
    symlinkSync(join(host, 'elsewhere'), join(host, 'trap/sub'));
    const { code, stderr } = await cli.run(['cp', 'web:/tmp/new/src/.', join(host, 'trap')]);
    assert.equal(code, 125);
    assert.match(stderr, /cannot overwrite file .* with a directory/);
  });
});

function ok(outcome: Outcome): Outcome {
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}
