import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { OciImageStore } from '../dist/index.js';
import { BoxCli } from '../../../test/e2e/support/box-cli.ts';
import { debianArchive } from './support/debian.ts';
import { nastyTogether } from './support/nasty-layers.ts';
import { writeLayout } from './support/oci-layout.ts';
import { needPrograms, run } from './support/programs.ts';
import { collectingLogger, operation, temporary } from './support/store.ts';

const IMAGE = 'test.example/debian:nasty';

/** Describes all files but those that a runtime puts there itself; the same script for guest and host. */
const MANIFEST = `cd / && export LC_ALL=C
files() { find . -mindepth 1 -xdev \\( -path ./proc -o -path ./dev -o -path ./sys -o -path ./etc/hosts -o -path ./etc/hostname -o -path ./etc/resolv.conf \\) -prune -o ! -path ./etc "$@"; }
files ! -type d -printf '%p|%y|%m|%U|%G|%n|%s|%T@|%l\\n' | sort
files -type d -printf '%p|%y|%m|%U|%G|%T@\\n' | sort
files \\( -type b -o -type c \\) -exec stat -c '%n|%t|%T' {} + | sort
files -type f -exec sha256sum {} + | sort
files ! -type l -print0 | sort -z | xargs -0 getfattr -h -d -m - -e hex -- | grep -v '^trusted.overlay'
`;

describe('an image of a hundred layers in a guest', function () {
  this.timeout(600_000);
  let cli: BoxCli;
  let place: Awaited<ReturnType<typeof temporary>>;
  let layout: string;

  before(async function () {
    needPrograms(this, 'umoci', 'mmdebstrap');
    place = await temporary();
    const tar = join(place.path, 'debian.tar');
    debianArchive(this, tar, ['attr']);
    layout = join(place.path, 'layout');
    writeLayout(layout, [{ tag: IMAGE, layers: [readFileSync(tar), ...nastyTogether()] }]);
    cli = await BoxCli.create();
    const directory = join(cli.home, 'plugins/@a3s-box+images-oci');
    await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
    const [image] = await store.load({ kind: 'directory', path: layout }, operation);
    assert.equal(image?.diffIds.length, 101);
  });

  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  it('runs bash, dpkg and perl', async () => {
    const script =
      'dpkg --verify perl-base && dpkg -l | wc -l && perl -e \'print "perl $^V\\n"\' && echo "$BASH_VERSION"';
    const { code, stdout, stderr } = await cli.run(['run', '--rm', IMAGE, 'bash', '-c', script]);
    assert.equal(code, 0, stderr);
    assert.match(stdout.toString(), /^\d+\nperl v5\.\d+\.\d+\n5\.\S+\n$/);
  });

  it('is what umoci unpacks', async () => {
    const bundle = join(place.path, 'bundle');
    run('umoci', ['unpack', '--image', `${layout}:${IMAGE}`, bundle]);
    const expected = run('chroot', [join(bundle, 'rootfs'), 'bash', '-c', MANIFEST]);
    const { code, stdout, stderr } = await cli.run(['run', '--rm', IMAGE, 'bash', '-c', MANIFEST]);
    assert.equal(code, 0, stderr);
    const actual = stdout.toString().split('\n');
    assert.ok(actual.length > 10_000, `${actual.length} lines`);
    assert.deepEqual(actual, expected.split('\n'));
  });
});
