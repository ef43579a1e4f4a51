import assert from 'node:assert/strict';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { before, describe, it } from 'mocha';
import { debianArchive } from './support/debian.ts';
import { NASTY_IMAGES } from './support/nasty-layers.ts';
import { writeLayout } from './support/oci-layout.ts';
import { fsck, mounted, needErofsMounts, needPrograms, run } from './support/programs.ts';
import { operation, temporary, testStore } from './support/store.ts';
import { treeManifest } from './support/tree-manifest.ts';
import { makeStarterImage } from '../dist/index.js';

describe('a mounted image', function () {
  this.timeout(120_000);

  before(function () {
    needPrograms(this, 'umoci', 'fsck.erofs', 'getfattr', 'qemu-img');
    needErofsMounts(this);
  });

  async function compare(
    layout: string,
    tag: string,
    ignoreTime: (path: string) => boolean = () => false,
  ): Promise<number> {
    await using place = await temporary();
    await using made = await testStore();
    const images = await made.store.load({ kind: 'directory', path: layout }, operation);
    const root = await made.store.rootDisk((images[0] as { id: string }).id, operation);
    fsck(root.disk);
    for (const layer of new Set(images[0]?.diffIds)) {
      fsck({
        path: join(made.directory, 'layers/sha256', layer.slice(7), 'layer.erofs'),
        format: 'raw',
        readOnly: true,
      });
    }
    run('umoci', ['unpack', '--image', `${layout}:${tag}`, join(place.path, 'bundle')]);
    const expected = treeManifest(join(place.path, 'bundle/rootfs'), { ignoreTime });
    using mount = mounted(root.disk, place.path);
    assert.deepEqual(treeManifest(mount.path, { ignoreTime }), expected);
    await root.release();
    return expected.length;
  }

  for (const { name, layers } of NASTY_IMAGES) {
    it(`is what umoci unpacks: ${name}`, async () => {
      await using place = await temporary();
      const layout = join(place.path, 'layout');
      writeLayout(layout, [{ tag: 'nasty', layers }]);
      // umoci sets the time of a directory before it changes entries in it from layers that do not name it.
      const implied = /^(usr\/lib|usr)$/;
      await compare(layout, 'nasty', (path) => implied.test(path));
    });
  }

  it('is what umoci unpacks: a minimal Debian', async function () {
    this.timeout(300_000);
    needPrograms(this, 'mmdebstrap');
    await using place = await temporary();
    const tar = join(place.path, 'debian.tar');
    debianArchive(this, tar);
    const layout = join(place.path, 'layout');
    writeLayout(layout, [{ tag: 'debian', layers: [readFileSync(tar)], compression: 'gzip' }]);
    assert.ok((await compare(layout, 'debian')) > 2000);
  });

  it('is what umoci unpacks: the starter', async function () {
    if (!existsSync('/bin/busybox')) needPrograms(this, 'busybox');
    await using place = await temporary();
    await using made = await testStore();
    await makeStarterImage(made.store, '/bin/busybox', operation);
    const archive = join(place.path, 'starter.tar');
    await pipeline(made.store.save(['a3s/starter'], operation), createWriteStream(archive));
    const layout = join(place.path, 'layout');
    mkdirSync(layout);
    run('tar', ['-xf', archive, '-C', layout]);
    rmSync(archive);
    assert.ok((await compare(layout, 'latest')) > 200);
  });
});
