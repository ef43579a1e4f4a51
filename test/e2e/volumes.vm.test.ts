import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxCli, type Outcome } from './support/box-cli.ts';
import { fileServerOf } from './support/home-files.ts';

const IMAGE = 'a3s/starter';
const SIZE = 4 * 2 ** 20;

describe('binds and volumes', () => {
  let cli: BoxCli;
  let host: string;
  const path = (name: string): string => join(host, name);

  async function ok(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args);
    assert.equal(code, 0, stderr);
    return stdout.toString();
  }
  const sh = (script: string, ...options: string[]): Promise<Outcome> =>
    cli.run(['exec', ...options, 'box', 'sh', '-c', script]);

  before(async () => {
    cli = await BoxCli.create();
    host = await mkdtemp(join(tmpdir(), 'a3s-bind-'));
    await Promise.all([mkdir(path('rw')), mkdir(path('ro')), mkdir(path('secret'))]);
    await writeFile(path('ro/file'), 'kept\n');
    await writeFile(path('single'), 'one\n');
    await writeFile(path('secret/file'), 'secret\n');
    await symlink(path('secret'), path('rw/out'));
    await ok(['volume', 'create', '--opt', 'size=48m', '--label', 'a=b', 'disk']);
    const mounts = [
      ...['-v', `${path('rw')}:/rw`, '-v', `${path('ro')}:/ro:ro`, '-v', `${path('single')}:/etc/single`],
      ...['--mount', `type=bind,source=${path('ro')},target=/mnt/ro,readonly`, '-v', `${path('made/by/run')}:/made`],
      ...['-v', 'named:/bin', '-v', '/anonymous', '--mount', 'src=named,dst=/plain,readonly', '-v', 'disk:/disk'],
    ];
    await ok(['run', '-d', '--name', 'box', '-m', '256m', ...mounts, IMAGE, 'sleep', '100000']);
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    await rm(host, { recursive: true });
  });

  it('shows directories and files of the host, both ways [run --volume, run --mount]', async () => {
    const written = await sh('echo in > /rw/guest; cat /ro/file /mnt/ro/file /etc/single; echo more >> /etc/single');
    assert.equal(written.stdout.toString(), 'kept\nkept\none\n', written.stderr);
    assert.equal(await readFile(path('rw/guest'), 'utf8'), 'in\n');
    assert.equal(await readFile(path('single'), 'utf8'), 'one\nmore\n');
    await writeFile(path('rw/host'), 'out\n');
    assert.equal((await sh('cat /rw/host')).stdout.toString(), 'out\n');
    assert.ok((await stat(path('made/by/run'))).isDirectory());
  });

  it('is not left by links or names of the guest', async () => {
    const { stdout } = await sh('cat /rw/out/file /rw/../../secret/file /rw/out/../file 2>&1; ls /rw/..');
    assert.doesNotMatch(stdout.toString(), /secret\n/);
  });

  it('cannot be written where it is read-only, by root neither', async () => {
    const tries = ['echo x > /ro/new', 'rm /ro/file', 'chmod 777 /ro/file', 'touch /ro/file', 'echo x >> /mnt/ro/file'];
    const { stdout } = await sh(
      tries.map((attempt) => `(${attempt}) 2>/dev/null && echo "done: ${attempt}"`).join('\n'),
    );
    assert.equal(stdout.toString(), '');
    assert.deepEqual(await readdir(path('ro')), ['file']);
    assert.equal(await readFile(path('ro/file'), 'utf8'), 'kept\n');
  });

  it('lets the guest make neither devices nor programs with set-id bits on the host', async () => {
    const { stdout } = await sh(
      [
        'mknod /rw/disk b 254 0 2>/dev/null && echo device',
        'cp /bin/busybox /rw/program; chmod 4755 /rw/program 2>/dev/null && echo set-user-id',
        'chmod 2755 /rw/program 2>/dev/null && echo set-group-id',
        'mkfifo /rw/pipe && echo pipe; chmod 1777 /rw && echo sticky',
      ].join('\n'),
    );
    assert.equal(stdout.toString(), 'pipe\nsticky\n');
    assert.equal((await stat(path('rw/program'))).mode & 0o7000, 0);
    assert.ok(!existsSync(path('rw/disk')));
  });

  it('keeps owners and modes, and gives a user no more than they say', async () => {
    await mkdir(path('rw/home'));
    await chown(path('rw/home'), 65534, 65534);
    await writeFile(path('rw/private'), 'mine\n');
    await chmod(path('rw/private'), 0o600);
    const work =
      'cd /rw/home && mkdir -p a/b && echo x > a/b/c && mv a/b/c a/d && ln a/d e && ln -s e f && chmod 640 e';
    const { code, stderr } = await sh(`${work} && cat f && ! cat /rw/private`, '-u', '65534:65534');
    assert.equal(code, 0, stderr);
    const { uid, gid, mode, nlink } = await stat(path('rw/home/e'));
    assert.deepEqual([uid, gid, mode & 0o7777, nlink], [65534, 65534, 0o640, 2]);
    assert.equal((await sh('chown 12:34 /rw/home/e && stat -c %u:%g /rw/home/a/d')).stdout.toString(), '12:34\n');
    assert.equal((await stat(path('rw/home/e'))).gid, 34);
  });

  it('keeps what is written whole', async () => {
    const { stdout, stderr } = await sh(
      `dd if=/dev/urandom of=/rw/data bs=64k count=${SIZE / 65536} conv=fsync 2>/dev/null; sha256sum < /rw/data`,
    );
    const { createHash } = await import('node:crypto');
    const digest = createHash('sha256')
      .update(await readFile(path('rw/data')))
      .digest('hex');
    assert.equal(stdout.toString(), `${digest}  -\n`, stderr);
  });

  it('fills a new volume from the image, and keeps it', async () => {
    const listed = await ok(['volume', 'inspect', '-f', '{{.Mountpoint}} {{.Anonymous}}', 'named']);
    const [mountpoint = '', anonymous] = listed.trim().split(' ');
    assert.equal(anonymous, 'false');
    assert.ok((await readdir(mountpoint)).includes('busybox'));
    const { stdout, stderr } = await sh('test -x /plain/sh && echo same; echo x > /plain/new || echo read-only');
    assert.equal(stdout.toString(), 'same\nread-only\n', stderr);
  });

  it('gives a disk to one box at a time [volume create --opt]', async () => {
    assert.equal((await sh('echo kept > /disk/file; ls /disk')).stdout.toString(), 'file\n');
    const full = await sh('df -m /disk | tail -1; dd if=/dev/zero of=/disk/full bs=1M count=48 2>&1; rm /disk/full');
    const megabytes = Number(/^\S+\s+(\d+)/.exec(full.stdout.toString())?.[1]);
    assert.ok(megabytes > 40 && megabytes <= 48, full.stdout.toString());
    assert.match(full.stdout.toString(), /No space left on device/);
    const { code, stderr } = await cli.run(['run', '--rm', '-v', 'disk:/disk', IMAGE, 'true']);
    assert.equal(code, 125);
    assert.match(stderr, /volume disk is in use by box/);
  });

  it('shows what is mounted', async () => {
    const [details] = JSON.parse(await ok(['inspect', 'box'])) as [
      { readonly Mounts: readonly { Type: string; Name?: string; Destination: string; RW: boolean }[] },
    ];
    const mounts = details.Mounts.map(({ Type, Name, Destination, RW }) => [Type, Name, Destination, RW]);
    assert.deepEqual(mounts.slice(0, 2), [
      ['bind', undefined, '/rw', true],
      ['bind', undefined, '/ro', false],
    ]);
    assert.deepEqual(
      mounts.find(([, name]) => name === 'disk'),
      ['volume', 'disk', '/disk', true],
    );
  });

  it('does not remove what a box has [volume ls --filter, volume ls --quiet]', async () => {
    assert.match((await cli.run(['volume', 'rm', 'named'])).stderr, /volume named is in use/);
    assert.equal(await ok(['volume', 'ls', '-q', '--filter', 'dangling=true']), '');
    assert.equal(await ok(['volume', 'ls', '-q', '--filter', 'label=a=b']), 'disk\n');
  });

  it('survives its supervisor, and goes on being served', async () => {
    const pid = Number(
      await readFile(join(cli.home, 'run/supervisor.pid'), 'utf8').then((text) => /\d+/.exec(text)?.[0]),
    );
    process.kill(pid, 'SIGKILL');
    const { stdout, stderr } = await sh('cat /ro/file; echo again > /rw/again');
    assert.equal(stdout.toString(), 'kept\n', stderr);
    assert.equal(await readFile(path('rw/again'), 'utf8'), 'again\n');
  });

  it('ends with the server of its files, says why, and is served again when it is started', async () => {
    const id = (await ok(['inspect', '-f', '{{.Id}}', 'box'])).trim();
    // Its end is like that of the power: what is not on its disks then is lost.
    await ok(['exec', 'box', 'sync']);
    // Of the supervisor before this one, and of this one.
    for (const round of [1, 2]) {
      process.kill(fileServerOf(cli.home, id)!.pid, 'SIGKILL');
      const { code, stderr } = await cli.run(['wait', 'box']);
      assert.deepEqual([code, /the server of its volumes ended/.test(stderr)], [125, true], stderr);
      const state = await ok(['inspect', '-f', '{{.State.Status}}: {{.State.Error}}', 'box']);
      assert.match(state, /^dead: the server of its volumes ended/, `round ${round}`);
      await ok(['start', 'box']);
      assert.equal((await sh('cat /ro/file')).stdout.toString(), 'kept\n');
    }
  });

  it('gives another box the same [run --volumes-from], and removes what was made for a box [rm --volumes]', async () => {
    const anonymous = (await ok(['volume', 'ls', '-q'])).split('\n').filter((name) => name.length === 64);
    assert.equal(anonymous.length, 1);
    await ok(['exec', 'box', 'sh', '-c', 'echo seen > /anonymous/file; sync']);
    await ok(['rm', '-f', 'box']);
    assert.ok((await ok(['volume', 'ls', '-q'])).includes(anonymous[0] ?? '?'));
    const mounts = ['-v', `${anonymous[0]}:/x:ro`, '-v', '/own'];
    await ok(['run', '-d', '--name', 'heir', ...mounts, IMAGE, 'sh', '-c', 'echo own > /own/file; sleep 100000']);
    const script = 'cat /x/file /own/file /disk/file; echo x > /disk/new || echo read-only';
    const further = ['--volumes-from', 'heir', '-v', 'disk:/disk:ro', '--mount', 'dst=/y'];
    const twin = await ok(['run', '--rm', ...further, IMAGE, 'sh', '-c', script]);
    assert.equal(twin, 'seen\nown\nkept\nread-only\n');
    await ok(['rm', '-f', '-v', 'heir']);
    const left = (await ok(['volume', 'ls', '-q'])).trim().split('\n');
    assert.deepEqual(left, [anonymous[0], 'disk', 'named'].sort());
  });

  it('refuses what cannot be', async () => {
    const refused: [args: string[], message: RegExp][] = [
      [['--mount', `type=bind,src=${path('nowhere')},dst=/x`], /bind source path does not exist/],
      [['-v', '/dev/null:/x'], /neither a directory nor a file/],
      [['-v', 'a/b:/x'], /invalid characters for a volume name/],
      [['-v', `${path('rw')}:/proc/x`], /kernel's own/],
      [['-v', `${path('rw')}:/x:rshared`], /propagation 'rshared' is not supported/],
      [['-v', `${path('rw')}:/x`, '-v', 'named:/x/'], /duplicate mount point: \/x/],
    ];
    for (const [args, message] of refused) {
      const { code, stderr } = await cli.run(['run', '--rm', ...args, IMAGE, 'true']);
      assert.equal(code, 125, args.join(' '));
      assert.match(stderr, message);
    }
    assert.ok(!existsSync(path('nowhere')));
  });

  it('removes what no box has [volume rm, volume prune --all, volume prune --force]', async () => {
    await ok(['volume', 'create']);
    const pruned = /^Deleted Volumes:\n(?:[0-9a-f]{64}\n){2}\nTotal reclaimed space: /;
    assert.match(await ok(['volume', 'prune', '-f']), pruned);
    assert.equal(await ok(['volume', 'rm', 'disk']), 'disk\n');
    assert.match(await ok(['volume', 'prune', '-f', '-a']), /^Deleted Volumes:\nnamed\n/);
    assert.deepEqual(await readdir(join(cli.home, 'volumes')), []);
  });
});
