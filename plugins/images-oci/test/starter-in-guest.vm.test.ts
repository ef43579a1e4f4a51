import assert from 'node:assert/strict';
import { createWriteStream, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'mocha';
import { OciImageStore } from '../dist/index.js';
import { BoxCli } from '../../../test/e2e/support/box-cli.ts';
import { ATTRIBUTE, FILE_TOOLS, fileToolsLayer } from './support/file-tools.ts';
import { writeLayout } from './support/oci-layout.ts';
import { needPrograms, run } from './support/programs.ts';
import { collectingLogger, operation, temporary } from './support/store.ts';

const STARTER = 'a3s/starter:latest';
const WITH_TOOLS = 'test.example/starter:tools';

/** All but what a runtime puts there itself. */
const PRUNED = './proc ./dev ./sys ./file-tools ./etc/hosts ./etc/hostname ./etc/resolv.conf';
const FILES = `cd / && export LC_ALL=C
files() { find . -mindepth 1 -xdev \\( ${PRUNED.split(' ')
  .map((path) => `-path ${path}`)
  .join(' -o ')} \\) -prune -o ! -path ./etc "$@"; }
`;
/** As far as busybox tells: no attributes, times in seconds. */
const PLAIN = `${FILES}files ! -type d -exec stat -c '%n|%F|%a|%u|%g|%h|%s|%Y|%t|%T' {} + | sort
files -type d -exec stat -c '%n|%F|%a|%u|%g|%Y' {} + | sort
files -type l -exec sh -c 'for link; do echo "$link $(readlink "$link")"; done' sh {} + | sort
files -type f -exec sha256sum {} + | sort
`;
const WHOLE = `${FILE_TOOLS}${FILES}files ! -type d -printf '%p|%y|%m|%U|%G|%n|%s|%T@|%l\\n' | sort
files -type d -printf '%p|%y|%m|%U|%G|%T@\\n' | sort
files -type f -exec sha256sum {} + | sort
files ! -type l -print | sort | while read -r path; do getfattr -h -d -m - -e hex -- "$path"; done | grep -v '^trusted.overlay' || true
`;

describe('the starter in a guest', function () {
  this.timeout(300_000);
  let cli: BoxCli;
  let place: Awaited<ReturnType<typeof temporary>>;
  let layout: string;

  before(async function () {
    needPrograms(this, 'umoci', 'getfattr');
    place = await temporary();
    cli = await BoxCli.create();
    const directory = join(cli.home, 'plugins/@a3s-box+images-oci');
    await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
    const archive = join(place.path, 'starter.tar');
    await pipeline(store.save([STARTER], operation), createWriteStream(archive));
    layout = join(place.path, 'layout');
    mkdirSync(layout);
    run('tar', ['-xf', archive, '-C', layout]);
    rmSync(archive);
    const [id] = (await store.inspect(STARTER, operation)).diffIds;
    const layer = readFileSync(join(layout, 'blobs/sha256', (id as string).slice('sha256:'.length)));
    const layered = join(place.path, 'layered');
    writeLayout(layered, [{ tag: WITH_TOOLS, layers: [layer, fileToolsLayer()] }]);
    await store.load({ kind: 'directory', path: layered }, operation);
  });

  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  async function compare(image: string, from: string, script: string): Promise<string[]> {
    const bundle = join(place.path, image.replaceAll('/', '-'));
    run('umoci', ['unpack', '--image', from, bundle]);
    const expected = run('chroot', [join(bundle, 'rootfs'), '/bin/sh', '-c', script]).split('\n');
    const { code, stdout, stderr } = await cli.run(['run', '--rm', image, '/bin/sh', '-c', script]);
    assert.equal(code, 0, stderr);
    assert.ok(expected.length > 250, `${expected.length} lines`);
    assert.deepEqual(stdout.toString().split('\n'), expected);
    return expected;
  }

  it('is what umoci unpacks, as busybox tells it', async () => {
    await compare(STARTER, `${layout}:latest`, PLAIN);
  });

  it('is what umoci unpacks, with times to the nanosecond and attributes', async () => {
    const lines = await compare(WITH_TOOLS, `${join(place.path, 'layered')}:${WITH_TOOLS}`, WHOLE);
    assert.ok(lines.includes(`${ATTRIBUTE}=0x79`), 'attributes are listed');
  });
});
