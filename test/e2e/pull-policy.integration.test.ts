import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { archive } from '../../plugins/erofs/test/support/tar-builder.ts';
import { fakeRegistry, imageContent, type FakeRegistry } from '../../plugins/images-oci/test/support/fake-registry.ts';
import { BoxCli } from './support/box-cli.ts';

const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64';

describe('fetching the image of a new box', () => {
  let cli: BoxCli;
  let registry: FakeRegistry;
  let image: string;
  before(async () => {
    cli = await BoxCli.create();
    registry = await fakeRegistry(imageContent([archive([{ name: 'a', data: Buffer.from('a') }])], ARCHITECTURE));
    image = `${registry.host}/x`;
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  const manifests = () => registry.requests.filter(({ url }) => url.includes('/manifests/')).length;

  it('is done never, when it is missing, and always, as asked [create --pull, run --pull]', async () => {
    const never = await cli.run(['create', '--pull', 'never', image, 'true']);
    assert.deepEqual([never.code, manifests()], [125, 0], never.stderr);
    assert.match(never.stderr, /127\.0\.0\.1:\d+\/x/);
    const missing = await cli.run(['create', image, 'true']);
    assert.equal(missing.code, 0, missing.stderr);
    assert.match(missing.stderr, /^Unable to find image '127\.0\.0\.1:\d+\/x' locally$/m);
    const once = manifests();
    assert.ok(once > 0);
    assert.equal((await cli.run(['create', '--pull', 'missing', image, 'true'])).code, 0);
    assert.equal(manifests(), once);
    assert.equal((await cli.run(['create', '--pull', 'always', image, 'true'])).code, 0);
    assert.ok(manifests() > once);
    const wrong = await cli.run(['run', '--pull', 'sometimes', image, 'true']);
    assert.equal(wrong.code, 125);
    assert.match(wrong.stderr, /invalid argument "sometimes" for "--pull" flag: give always, missing, never/);
    // The command is not in the image, so that nothing of it runs; but it is asked for first.
    const before = manifests();
    assert.equal((await cli.run(['run', '--pull', 'always', '--backend', 'none-such', image, 'true'])).code, 125);
    assert.ok(manifests() > before);
  });

  it('is not talked about with -q [create --quiet, run --quiet]', async () => {
    const loud = await cli.run(['create', '--pull', 'always', image, 'true']);
    assert.match(loud.stderr, /: (Downloading|Already there|Done)/);
    for (const command of ['create', 'run']) {
      const args = [command, '-q', '--pull', 'always', '--backend', 'none-such', image, 'true'];
      assert.doesNotMatch((await cli.run(args)).stderr, /: (Downloading|Already there|Done)/);
    }
  });

  it('is one download for several commands at once', async () => {
    const layers = [archive([{ name: 'b', data: randomBytes(3_000_000) }]), archive([{ name: 'c' }])];
    const content = imageContent(layers, ARCHITECTURE);
    await using other = await fakeRegistry(content);
    const pulls = await Promise.all(
      Array.from({ length: 4 }, () => cli.run(['pull', '-q', '--plain-http', `${other.host}/x`])),
    );
    assert.deepEqual(
      pulls.map(({ code }) => code),
      [0, 0, 0, 0],
      pulls.map(({ stderr }) => stderr).join(''),
    );
    assert.equal(new Set(pulls.map(({ stdout }) => stdout.toString())).size, 1, 'one image');
    // The config, which is JSON, each of them reads to know the layers.
    const blobs = [...content].filter(([path, bytes]) => path.startsWith('blobs/') && bytes[0] !== '{'.charCodeAt(0));
    const fetched = blobs.map(([path]) => other.requests.filter(({ url }) => url.endsWith(path)).length);
    assert.deepEqual(fetched, [1, 1], 'each layer once');
  });

  it('comes to nothing with what the registry said', async () => {
    const { code, stderr } = await cli.run(['create', '--pull', 'always', `${registry.host}/x:none`, 'true']);
    assert.deepEqual([code, /manifests\/none/.test(stderr)], [125, true], stderr);
  });

  it('by its own command speaks http and is quiet as it is told, and knows platforms [pull --plain-http, pull --quiet, pull --platform]', async () => {
    assert.equal((await cli.run(['pull', image])).code, 125);
    const loud = await cli.run(['pull', '--plain-http', image]);
    assert.deepEqual([loud.code, /: (Downloading|Already there|Done)/.test(loud.stderr)], [0, true], loud.stderr);
    const quiet = await cli.run(['pull', '-q', '--plain-http', '--platform', `linux/${ARCHITECTURE}`, image]);
    assert.deepEqual([quiet.code, quiet.stderr], [0, '']);
    assert.match(quiet.stdout.toString(), /^sha256:[0-9a-f]{64}\n$/);
    const other = await cli.run(['pull', '--plain-http', '--platform', 'linux/s390x', image]);
    assert.deepEqual([other.code, /linux\/s390x/.test(other.stderr)], [125, true], other.stderr);
  });

  it('leaves an id file with the box, and none without [create --cidfile]', async () => {
    const file = join(cli.home, 'id');
    const failed = await cli.run(['create', '--cidfile', file, '--pull', 'never', 'no/such', 'true']);
    assert.deepEqual([failed.code, existsSync(file)], [125, false], failed.stderr);
    const { stdout } = await cli.run(['create', '--cidfile', file, image, 'true']);
    assert.equal(readFileSync(file, 'utf8'), stdout.toString().trim());
    const again = await cli.run(['create', '--cidfile', file, image, 'true']);
    assert.equal(again.code, 125);
    assert.match(again.stderr, /id file .* is there already/);
    assert.equal(readFileSync(file, 'utf8'), stdout.toString().trim());
  });
});
