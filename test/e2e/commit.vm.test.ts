/** diff, export, commit and snapshots of a box that runs and of one that does not, and what they make of what is easily lost. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxClient } from '@a3s-box/core/client';
import { archiveManifest, differences, nastyArchive } from './support/archive-manifest.ts';
import { BoxCli, type Outcome } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';
/** Each box has its own. */
const OWN = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf'];
/** What takes files of the image away, puts others in their place, and changes them without changing their size. */
const CHANGES = `
  mkdir /tmp/tools && cp /bin/busybox /tmp/tools/ 2>/dev/null
  chmod 711 /root
  echo added > /opt-added
  sed -i s/root/toor/ /etc/group
  rm -r /var/empty
  rm -r /usr/share/seed && mkdir /usr/share/seed && echo new > /usr/share/seed/b
  rm -r /usr/share/dir && echo file > /usr/share/dir
  rm /usr/share/file && mkdir /usr/share/file && echo inside > /usr/share/file/x
  : >> /usr/share/opened
  printf XY | dd of=/usr/share/edited bs=1 conv=notrunc 2>/dev/null; touch -d @1000 /usr/share/edited
  mv /usr/share/moved /usr/share/renamed
  ln /usr/share/opened /usr/share/again
`;

describe('a box that has changed', () => {
  let cli: BoxCli;
  let host: string;
  let exported: Map<string, string>;

  before(async () => {
    cli = await BoxCli.create();
    host = mkdtempSync(join(tmpdir(), 'commit-'));
    // An image with something to lose: made by a commit, too.
    ok(await cli.run(['run', '--name', 'base', '-m', '256m', IMAGE, 'sh', '-c', SEED]));
    ok(await cli.run(['commit', 'base', 'seeded']));
    ok(await cli.run(['run', '-d', '--name', 'source', '-m', '256m', 'seeded', 'sh', '-c', 'sleep 3600']));
    ok(await cli.run(['exec', 'source', 'sh', '-c', CHANGES]));
    ok(await cli.run(['cp', '-', 'source:/'], { stdin: nastyArchive() }));
    exported = manifestOf(ok(await cli.run(['export', 'source'])).stdout);
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    rmSync(host, { recursive: true, force: true });
  });

  it('has what was copied into it', () => {
    const nasty = [...archiveManifest(nastyArchive())];
    assert.deepEqual(
      nasty
        .filter(([name, line]) => exported.get(name) !== line)
        .map(([name, line]) => [name, line, exported.get(name)]),
      [],
    );
  });

  it('lists its differences as Docker does', async () => {
    const { stdout } = ok(await cli.run(['diff', 'source']));
    const lines = stdout
      .toString()
      .split('\n')
      .filter((line) => line !== '' && !/ \/(nasty|tmp)\b/.test(line));
    assert.deepEqual(lines, [
      'C /etc',
      'C /etc/group',
      'A /opt-added',
      'C /root',
      'C /usr/share',
      'A /usr/share/again',
      'C /usr/share/dir',
      'C /usr/share/edited',
      'C /usr/share/file',
      'A /usr/share/file/x',
      'D /usr/share/moved',
      'C /usr/share/opened',
      'A /usr/share/renamed',
      'C /usr/share/seed',
      'D /usr/share/seed/a',
      'C /usr/share/seed/b',
      'C /var',
      'D /var/empty',
    ]);
  });

  it('becomes an image whose boxes have the same files', async () => {
    const { stdout } = ok(await cli.run(['commit', 'source', 'committed:1']));
    assert.match(stdout.toString(), /^sha256:[0-9a-f]{64}\n$/);
    ok(await cli.run(['run', '-d', '--name', 'copy', '-m', '256m', 'committed:1']));
    assert.deepEqual(differences(exported, manifestOf(ok(await cli.run(['export', 'copy'])).stdout)), []);
    assert.equal(ok(await cli.run(['diff', 'copy'])).stdout.toString(), '');
    ok(await cli.run(['rm', '-f', 'copy']));
  });

  it('gives its config with changes to the image [commit --change, commit --author, commit --message]', async () => {
    const changes = [
      'CMD ["echo", "changed"]',
      'ENV A="b c" D=e',
      'EXPOSE 80/tcp',
      'LABEL k=v',
      'USER 7:8',
      'WORKDIR /tmp',
    ];
    const more = ['ENTRYPOINT []', 'VOLUME /data', 'ONBUILD RUN true'];
    const flags = [...changes, ...more].flatMap((change) => ['-c', change]);
    const id = ok(await cli.run(['commit', ...flags, '-a', 'Ann', '-m', 'a message', 'source']))
      .stdout.toString()
      .trim();
    const document = configOf(ok(await cli.run(['save', id])).stdout, id);
    assert.equal(document.author, 'Ann');
    assert.deepEqual(document.config.Cmd, ['echo', 'changed']);
    assert.ok(document.config.Env.includes('A=b c') && document.config.Env.includes('D=e'));
    assert.deepEqual(document.config.ExposedPorts, { '80/tcp': {} });
    assert.deepEqual(document.config.Volumes, { '/data': {} });
    assert.deepEqual(document.config.Labels, { k: 'v' });
    assert.deepEqual(document.config.OnBuild, ['RUN true']);
    assert.equal(`${document.config.User} ${document.config.WorkingDir}`, '7:8 /tmp');
    assert.equal(document.history.at(-1)?.comment, 'a message');
  });

  it('stands still while it is committed, unless told otherwise [commit --pause]', async () => {
    ok(await cli.run(['exec', 'source', 'sh', '-c', 'head -c 10000000 /dev/urandom > /tmp/b']));
    ok(await cli.run(['exec', '-d', 'source', 'sh', '-c', COUNT]));
    const counts = async (...flags: string[]) => {
      ok(await cli.run(['commit', ...flags, 'source', 'counted']));
      const { stdout } = ok(await cli.run(['run', '--rm', '-m', '256m', 'counted', 'cat', '/tmp/a', '/tmp/c']));
      return stdout.toString().split('\n').map(Number);
    };
    try {
      const [before = NaN, after = NaN] = await counts();
      assert.ok(before - after === 0 || before - after === 1, `${before} and ${after} are of one moment`);
      const [earlier = NaN, later = NaN] = await counts('--pause=false');
      assert.ok(later > earlier, `${earlier} and ${later} are not`);
      assert.ok(earlier > before, 'it went on');
    } finally {
      ok(await cli.run(['exec', 'source', 'sh', '-c', 'kill $(cat /tmp/pid); rm -f /tmp/a* /tmp/b /tmp/c* /tmp/pid']));
    }
  });

  it('is kept as it is while it runs [snapshot create --name]', async () => {
    const id = ok(await cli.run(['snapshot', 'create', '--name', 'before', 'source'])).stdout.toString();
    assert.match(id, /^[0-9a-f]{64}\n$/);
    ok(await cli.run(['exec', 'source', 'sh', '-c', 'echo later > /later']));
    const again = await cli.run(['snapshot', 'create', '--name', 'before', 'source']);
    assert.match(again.stderr, /snapshot name "before" is in use/);
  });

  it('comes back as another box [snapshot restore --name]', async () => {
    ok(await cli.run(['snapshot', 'restore', '--name', 'back', 'before']));
    assert.deepEqual(differences(exported, manifestOf(ok(await cli.run(['export', 'back'])).stdout)), []);
    using client = await BoxClient.connect({ home: cli.home });
    await client.start('back');
    const { stdout } = ok(
      await cli.run(['exec', 'back', 'sh', '-c', 'cat /opt-added; ls /later; cat /proc/1/cmdline']),
    );
    assert.match(stdout.toString(), /^added\nsleep/);
    ok(await cli.run(['rm', '-f', 'back']));
    ok(await cli.run(['exec', 'source', 'rm', '/later']));
  });

  it('is listed with its snapshots [snapshot ls --format, snapshot ls --quiet, snapshot inspect --format]', async () => {
    const print = async (...args: string[]) => ok(await cli.run(['snapshot', ...args])).stdout.toString();
    assert.equal(await print('ls', '--format', '{{.Name}} {{.Box}}'), 'before source\n');
    const id = await print('inspect', '--format', '{{.Id}}', 'before');
    assert.equal(await print('ls', '-q'), `${id.slice(0, 12)}\n`);
    assert.equal(
      await print(
        'inspect',
        '--format',
        '{{.Box.Running}} {{index .Config.Cmd 0}} {{.HostConfig.Memory}}',
        id.slice(0, 8),
      ),
      'true sh 268435456\n',
    );
    const { stderr, code } = await cli.run(['rmi', 'seeded']);
    assert.equal(code, 125, 'the image is in use');
    assert.match(stderr, /used by/);
  });

  it('is the same when it has ended', async () => {
    ok(await cli.run(['stop', '-t', '0', 'source']));
    ok(await cli.run(['export', '-o', join(host, 'stopped.tar'), 'source']));
    const stopped = manifestOf(readFileSync(join(host, 'stopped.tar')));
    assert.deepEqual(differences(exported, stopped), [], 'export -o');
    ok(await cli.run(['commit', 'source', 'ended']));
    ok(await cli.run(['run', '--name', 'of-ended', '-m', '256m', 'ended', 'true']));
    const copy = manifestOf(ok(await cli.run(['export', 'of-ended'])).stdout);
    assert.deepEqual(differences(exported, copy), [], 'commit');
  });

  it('is written to a file by name [export --output]', () => {
    assert.ok(readFileSync(join(host, 'stopped.tar')).length > 100_000);
  });

  it('takes and gives files when it has ended', async () => {
    ok(await cli.run(['cp', 'source:/opt-added', join(host, 'out')]));
    assert.equal(readFileSync(join(host, 'out'), 'utf8'), 'added\n');
    ok(await cli.run(['cp', join(host, 'out'), 'source:/usr/share/put-later']));
    ok(await cli.run(['cp', 'source:/usr/share/put-later', join(host, 'back')]));
    assert.equal(readFileSync(join(host, 'back'), 'utf8'), 'added\n');
    assert.match(ok(await cli.run(['diff', 'source'])).stdout.toString(), /^A \/usr\/share\/put-later$/m);
  });

  it('is kept as it is when it has ended, and its snapshots outlive it [snapshot prune --all, snapshot prune --force]', async () => {
    const id = ok(await cli.run(['snapshot', 'create', 'source']))
      .stdout.toString()
      .trim();
    const before = manifestOf(ok(await cli.run(['export', 'source'])).stdout);
    ok(await cli.run(['rm', 'source']));
    ok(await cli.run(['snapshot', 'restore', '--name', 'heir', id]));
    assert.deepEqual(differences(before, manifestOf(ok(await cli.run(['export', 'heir'])).stdout)), []);
    ok(await cli.run(['snapshot', 'create', '--name', 'of-heir', 'heir']));
    ok(await cli.run(['snapshot', 'rm', 'before']));
    const list = async () => ok(await cli.run(['snapshot', 'ls', '--format', '{{.Name}}'])).stdout.toString();
    assert.deepEqual([(await cli.run(['snapshot', 'prune'])).code, (await list()).trim().split('\n').length], [1, 2]);
    assert.match(
      ok(await cli.run(['snapshot', 'prune', '-f'])).stdout.toString(),
      new RegExp(`^Deleted Snapshots:\\n${id}\\n\\n`),
    );
    assert.equal(await list(), 'of-heir\n');
    ok(await cli.run(['snapshot', 'prune', '-af']));
    assert.equal(await list(), '');
    assert.deepEqual(readdirSync(join(cli.home, 'snapshots')), []);
  });
});

/** Counts in two files, between which a layer has a large one. */
const COUNT = `
  echo $$ > /tmp/pid; i=0
  while :; do
    i=$((i + 1))
    for name in a c; do echo $i > /tmp/$name.new; mv /tmp/$name.new /tmp/$name; done
  done
`;

const SEED = `
  mkdir -p /var/empty /usr/share/seed /usr/share/dir /usr/share
  echo a > /usr/share/seed/a; echo b > /usr/share/seed/b; echo c > /usr/share/dir/c
  for name in file opened edited moved; do echo $name > /usr/share/$name; done
  touch -d @1000 /usr/share/edited
`;

function manifestOf(archive: Buffer): Map<string, string> {
  const manifest = archiveManifest(archive);
  for (const name of OWN) manifest.delete(name);
  return manifest;
}

interface Config {
  readonly author?: string;
  readonly config: {
    readonly Cmd: string[];
    readonly Env: string[];
    readonly ExposedPorts: object;
    readonly Volumes: object;
    readonly Labels: object;
    readonly OnBuild: string[];
    readonly User: string;
    readonly WorkingDir: string;
  };
  readonly history: readonly { readonly comment?: string }[];
}

/** The config of an image in an oci-archive. */
function configOf(archive: Buffer, id: string): Config {
  const digest = id.slice('sha256:'.length);
  const start = archive.indexOf(`blobs/sha256/${digest}`);
  assert.ok(start >= 0, 'the archive has the config');
  const size = parseInt(archive.toString('latin1', start + 124, start + 136), 8);
  const found = archive.subarray(start + 512, start + 512 + size);
  return JSON.parse(found.toString()) as Config;
}

function ok(outcome: Outcome): Outcome {
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}
