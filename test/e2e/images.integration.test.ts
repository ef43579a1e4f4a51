import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxCli } from './support/box-cli.ts';

interface Inspected {
  readonly id: string;
  readonly names: readonly string[];
  readonly config: { readonly cmd?: readonly string[] };
}

describe('image commands', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  const inspect = async (image: string): Promise<Inspected> => {
    const { stdout, stderr, code } = await cli.run(['image', 'inspect', image]);
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout.toString()) as Inspected[])[0] as Inspected;
  };

  it('list, name and inspect images', async () => {
    const table = (await cli.run(['images'])).stdout.toString();
    assert.match(table, /^a3s\/starter\s+latest\s+[0-9a-f]{12}/m);
    const starter = await inspect('a3s/starter');
    assert.deepEqual(starter.config.cmd, ['sh']);
    assert.equal((await cli.run(['tag', 'a3s/starter', 'mine:1'])).code, 0);
    assert.equal((await inspect('mine:1')).id, starter.id);
    assert.equal((await inspect(starter.id.slice('sha256:'.length, 'sha256:'.length + 12))).id, starter.id);
    const removed = await cli.run(['rmi', 'mine:1']);
    assert.match(removed.stdout.toString(), /^Untagged: .*mine:1$/m);
    assert.equal((await cli.run(['image', 'inspect', 'mine:1'])).code, 125);
  });

  it('carry an image through save, rmi and load, by file and by pipe [save --output, load --input, load --quiet]', async () => {
    const starter = await inspect('a3s/starter');
    const file = join(cli.home, 'starter.tar');
    assert.equal((await cli.run(['save', '-o', file, 'a3s/starter'])).code, 0);
    const piped = (await cli.run(['save', 'a3s/starter'])).stdout;
    assert.equal(piped.length, (await stat(file)).size);
    assert.equal((await cli.run(['rmi', 'a3s/starter'])).code, 0);
    assert.equal((await cli.run(['images', '--json'])).stdout.toString().trim(), '[]');
    const loaded = await cli.run(['load', '-i', file]);
    assert.match(loaded.stderr, /: (Reading|Writing|Done|Already there)$/m);
    assert.match(loaded.stdout.toString(), /^Loaded image: docker\.io\/a3s\/starter:latest$/m, loaded.stderr);
    assert.equal((await inspect('a3s/starter')).id, starter.id);
    const again = await cli.run(['load', '-q'], { stdin: piped });
    assert.deepEqual([again.code, again.stderr], [0, '']);
  });

  it('write an archive that skopeo reads', async () => {
    const file = join(cli.home, 'skopeo.tar');
    assert.equal((await cli.run(['save', '-o', file, 'a3s/starter'])).code, 0);
    const found = JSON.parse(execFileSync('skopeo', ['inspect', `oci-archive:${file}`], { encoding: 'utf8' })) as {
      Os: string;
    };
    assert.equal(found.Os, 'linux');
  });

  it('make an image of a root file system [import --quiet]', async () => {
    const tar = execFileSync('tar', ['-C', '/etc', '-c', 'hostname', 'passwd']);
    const { code, stdout, stderr } = await cli.run(['import', '-', 'rootfs:1'], { stdin: tar });
    assert.equal(code, 0, stderr);
    assert.equal((await inspect('rootfs:1')).id, stdout.toString().trim());
    assert.match(stderr, /: (Reading|Writing|Done)$/m);
    const quiet = await cli.run(['import', '-q', '-', 'rootfs:2'], { stdin: tar });
    assert.deepEqual([quiet.code, quiet.stderr], [0, '']);
    assert.equal((await inspect('rootfs:2')).id, quiet.stdout.toString().trim());
  });

  it('list what is asked for [images --filter, images --quiet, images --no-trunc, images --digests]', async () => {
    const lines = async (...args: string[]): Promise<string[]> => {
      const { code, stdout, stderr } = await cli.run(['images', '--format', '{{.Repository}}:{{.Tag}}', ...args]);
      assert.equal(code, 0, stderr);
      return stdout.toString().split('\n').slice(0, -1).toSorted();
    };
    const tar = execFileSync('tar', ['-C', '/etc', '-c', 'hostname']);
    assert.equal((await cli.run(['import', '-q', '-', 'team/app:1'], { stdin: tar })).code, 0);
    assert.equal((await cli.run(['tag', 'team/app:1', 'team/app:2'])).code, 0);
    const nameless = execFileSync('tar', ['-C', '/etc', '-c', 'group']);
    const { stdout: dangling } = await cli.run(['import', '-q', '-'], { stdin: nameless });
    assert.deepEqual(await lines('--filter', 'reference=team/*'), ['team/app:1', 'team/app:2']);
    assert.deepEqual(await lines('team/app:2'), ['team/app:2']);
    assert.deepEqual(await lines('-f', 'reference=*/app:1', '-f', 'reference=a3s/starter'), [
      'a3s/starter:latest',
      'team/app:1',
    ]);
    assert.deepEqual(await lines('-f', 'dangling=true'), ['<none>:<none>']);
    assert.ok(!(await lines('-f', 'dangling=false')).includes('<none>:<none>'));
    assert.ok((await lines('-f', 'since=a3s/starter')).includes('team/app:1'));
    assert.deepEqual(await lines('-f', 'before=team/app:1', 'a3s/*'), ['a3s/starter:latest']);
    assert.deepEqual(await lines('-f', 'until=2000-01-01'), ['a3s/starter:latest'], 'it says 1970');
    assert.deepEqual(await lines('-f', 'label=none'), []);
    assert.match((await cli.run(['images', '-f', 'size=1'])).stderr, /invalid filter 'size=1'[^]*reference/);
    const ids = async (...args: string[]) => (await cli.run(['images', '-q', ...args])).stdout.toString();
    assert.match(await ids('team/app'), /^[0-9a-f]{12}\n$/, 'one image, one line');
    assert.equal(await ids('--no-trunc', '-f', 'dangling=true'), dangling.toString());
    assert.match(
      (await cli.run(['images', '--digests', 'team/app:1'])).stdout.toString(),
      /DIGEST[^]*sha256:[0-9a-f]{64} /,
    );
    assert.equal((await cli.run(['rmi', dangling.toString().trim(), 'team/app:1', 'team/app:2'])).code, 0);
  });

  it('show how an image was made [history --quiet, history --no-trunc, history --human, history --format]', async () => {
    const long = `long-${'x'.repeat(60)}`;
    const tar = execFileSync('tar', ['-C', '/etc', '-c', 'hostname']);
    assert.equal((await cli.run(['import', '-q', '-c', `LABEL a=${long}`, '-', 'made:1'], { stdin: tar })).code, 0);
    const show = async (...args: string[]) => (await cli.run(['history', ...args, 'made:1'])).stdout.toString();
    const { id } = await inspect('made:1');
    assert.match(await show(), /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} +.* ago +\S.* +[0-9.]+ ?kB/m);
    assert.match(await show('--human=false'), /^IMAGE +CREATED AT [^]*T\d\d:\d\d:[^]* [0-9]{4,}\b/);
    assert.equal(await show('-q'), `${id.slice(7, 19)}\n`);
    assert.equal(await show('-q', '--no-trunc'), `${id}\n`);
    assert.match(await show('--format', '{{.CreatedBy}}|{{.ID}}'), /^[^|\n]+\|[0-9a-f]{12}\n$/);
    assert.equal((await cli.run(['rmi', 'made:1'])).code, 0);
  });

  it('remove images that nobody needs [image prune --all, image prune --filter, image prune --force]', async () => {
    const add = async (file: string, ...name: string[]) => {
      const tar = execFileSync('tar', ['-C', '/etc', '-c', file]);
      return (await cli.run(['import', '-q', '-', ...name], { stdin: tar })).stdout.toString().trim();
    };
    const nameless = await add('group');
    const named = await add('passwd', 'named:1');
    const prune = async (...args: string[]) => (await cli.run(['image', 'prune', ...args])).stdout.toString();
    assert.match(await prune(), /WARNING! This will remove all images without a name/);
    assert.doesNotMatch(await prune('-f', '--filter', 'until=2000-01-01'), /deleted/);
    const pruned = await prune('-f');
    assert.match(pruned, new RegExp(`deleted: ${nameless}[^]*Total reclaimed space: [0-9.]+ ?kB`));
    assert.doesNotMatch(pruned, new RegExp(named));
    assert.match(await prune('-a', '-f', '--filter', 'until=0s'), new RegExp(`deleted: ${named}`));
    assert.equal((await cli.run(['images', '--json'])).stdout.toString().trim(), '[]');
    await cli.run(['load', '-q', '-i', join(cli.home, 'starter.tar')]);
  });

  it('verify the store, and take away what is damaged [image fsck --repair, image fsck --json]', async () => {
    const whole = await cli.run(['image', 'fsck']);
    assert.deepEqual(
      [whole.code, whole.stdout.toString()],
      [0, '1 layer verified: nothing is damaged\n'],
      whole.stderr,
    );
    const store = join(cli.home, 'plugins/@a3s-box+images-oci/layers/sha256');
    const [layer = ''] = await readdir(store);
    const file = join(store, layer, 'layer.erofs');
    const content = await readFile(file);
    content[content.length - 1] = (content.at(-1) ?? 0) ^ 1;
    await writeFile(file, content);
    const damaged = await cli.run(['image', 'fsck']);
    assert.equal(damaged.code, 1);
    assert.match(
      damaged.stdout.toString(),
      new RegExp(`^Damaged: layer sha256:${layer}: .*docker.io/a3s/starter:latest$`, 'm'),
    );
    const { problems } = JSON.parse((await cli.run(['image', 'fsck', '--json'])).stdout.toString());
    assert.deepEqual([problems.length, problems[0].repaired], [1, false]);
    const repaired = await cli.run(['image', 'fsck', '--repair']);
    assert.equal(repaired.code, 0, repaired.stderr);
    assert.match(repaired.stdout.toString(), /^Removed: docker\.io\/a3s\/starter:latest; pull or load it again$/m);
    assert.equal((await cli.run(['load', '-q', '-i', join(cli.home, 'starter.tar')])).code, 0);
    assert.equal((await cli.run(['image', 'fsck'])).code, 0);
  });

  it('change the config of what is imported [import --change, import --message, import --platform]', async () => {
    const tar = execFileSync('tar', ['-C', '/etc', '-c', 'hostname']);
    const flags = ['-c', 'CMD ["sh", "-l"]', '-c', 'LABEL a=b', '-m', 'a message', '--platform', 'linux/arm64'];
    const { code, stderr } = await cli.run(['import', ...flags, '-', 'changed:1'], { stdin: tar });
    assert.equal(code, 0, stderr);
    const image = (await inspect('changed:1')) as unknown as {
      config: { cmd: string[]; labels: object };
      platform: string;
      history: object[];
    };
    assert.deepEqual([image.config.cmd, image.config.labels], [['sh', '-l'], { a: 'b' }]);
    assert.equal(image.platform, 'linux/arm64');
    assert.equal((image.history[0] as { comment?: string }).comment, 'a message');
    const wrong = await cli.run(['import', '-c', 'RUN x', '-', 'changed:2'], { stdin: tar });
    assert.deepEqual([wrong.code, /"RUN x" is no change/.test(wrong.stderr)], [125, true], wrong.stderr);
    assert.equal((await cli.run(['rmi', 'changed:1'])).code, 0);
  });

  it('say what is wrong with what, and leave nothing', async () => {
    const bad = join(cli.home, 'bad.tar');
    await writeFile(bad, Buffer.alloc(2000, 7));
    const before = (await cli.run(['images', '--json'])).stdout.toString();
    const wrong: [string[], RegExp][] = [
      [['load', '-i', bad], /archive|tar/],
      [['load', '-i', '/no/such/file'], /\/no\/such\/file/],
      [['import', '/no/such/file'], /\/no\/such\/file/],
      [['save', '-o', join(cli.home, 'x.tar'), 'nothing'], /nothing/],
      [['tag', 'nothing', 'a'], /nothing/],
      [['tag', 'a3s/starter', 'UPPER'], /UPPER/],
      [['rmi', 'nothing'], /nothing/],
      [['pull', '--plain-http', 'registry.example/x'], /registry\.example/],
      [['pull', 'localhost:1/none'], /localhost:1/],
      [['push', 'nothing'], /nothing/],
      [['push', '--all-tags', 'nothing'], /nothing/],
      [['push', 'localhost:1/none', 'a3s/starter'], /localhost:1/],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await cli.run(args);
      assert.equal(code, 125, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, message);
    }
    assert.equal((await cli.run(['images', '--json'])).stdout.toString(), before);
    assert.ok(!(await readdir(cli.home)).some((name) => name.includes('partial') || name === 'x.tar'));
  });
});
