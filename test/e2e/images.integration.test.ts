import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, stat, writeFile } from 'node:fs/promises';
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
