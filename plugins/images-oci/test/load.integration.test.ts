import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, it } from 'mocha';
import { OciImageStore } from '../dist/index.js';
import { archive, type Member } from '../../erofs/test/support/tar-builder.ts';
import { needs } from '../../../test/support/skip.ts';
import { sha256, writeLayout } from './support/oci-layout.ts';
import { needPrograms, run } from './support/programs.ts';
import { assertExactly } from './support/store-files.ts';
import { collectingLogger, operation, temporary, testStore } from './support/store.ts';

const layers = [archive([{ name: 'a', data: randomBytes(40_000) }]), archive([{ name: '.wh.a' }, { name: 'b' }])];

async function* cut(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 30_000) yield bytes.subarray(at, at + 30_000);
}
const archiveOf = (bytes: Buffer) => ({ kind: 'archive', stream: cut(bytes) }) as const;

/** A docker-archive as Docker wrote it before its layouts: a directory for each layer, equal layers as links. */
function dockerArchive(
  images: readonly { tags: readonly string[] | null; layers: readonly Buffer[] }[],
  extra: Member[] = [],
): Buffer {
  const members: Member[] = [];
  const manifest = images.map(({ tags, layers: own }) => {
    const config = Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        config: {},
        rootfs: { type: 'layers', diff_ids: own.map(sha256) },
      }),
    );
    const name = `${sha256(config).slice(7)}.json`;
    const paths = own.map((layer, index) => {
      const path = `${sha256(Buffer.from(`${index}${name}`)).slice(7)}/layer.tar`;
      const first = members.find(({ data }) => data?.equals(layer));
      members.push(
        { name: path.replace('layer.tar', 'VERSION'), data: Buffer.from('1.0') },
        { name: path.replace('layer.tar', 'json'), data: Buffer.from('{"id":"x"}') },
        first === undefined ? { name: path, data: layer } : { name: path, type: '2', link: `../${first.name}` },
      );
      return path;
    });
    members.push({ name, data: config });
    return { Config: name, RepoTags: tags, Layers: paths };
  });
  return archive([...members, ...extra, { name: 'manifest.json', data: Buffer.from(JSON.stringify(manifest)) }]);
}

describe('load', function () {
  this.timeout(60_000);

  it('takes a docker-archive, plain and compressed, with shared layers and names', async () => {
    const bytes = dockerArchive([
      { tags: ['app:1', 'registry.example/app:2'], layers },
      { tags: null, layers: [layers[0] as Buffer] },
    ]);
    for (const form of [bytes, gzipSync(bytes), zstdCompressSync(bytes)]) {
      await using made = await testStore();
      const images = await made.store.load(archiveOf(form), operation);
      assert.deepEqual(
        images.map(({ names }) => names),
        [['docker.io/library/app:1', 'registry.example/app:2'], []],
      );
      assert.deepEqual(images[0]?.diffIds, layers.map(sha256));
      assertExactly(made.directory, images);
    }
  });

  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    it(`takes a directory and an oci-archive with ${compression} layers, names and several images`, async () => {
      await using place = await temporary();
      writeLayout(place.path, [
        { tag: 'docker.io/team/app:1', layers, compression },
        { tag: 'latest', layers: [], compression },
      ]);
      const tar = join(place.path, 'archive.tar');
      run('tar', ['-cf', tar, '--exclude=archive.tar', '-C', place.path, '.']);
      for (const source of [
        { kind: 'directory', path: place.path },
        { kind: 'archive', stream: createReadStream(tar) },
      ] as const) {
        await using made = await testStore();
        const images = await made.store.load(source, operation);
        assert.deepEqual(
          images.map(({ names }) => names),
          [['docker.io/team/app:1'], []],
        );
        assertExactly(made.directory, images);
      }
    });
  }

  it('takes what skopeo writes, and skopeo takes what is saved', async function () {
    needPrograms(this, 'skopeo');
    await using place = await temporary();
    await using made = await testStore();
    const layout = join(place.path, 'layout');
    writeLayout(layout, [{ tag: 'x', layers, compression: 'gzip' }]);
    for (const kind of ['docker-archive', 'oci-archive']) {
      const file = join(place.path, `${kind}.tar`);
      run('skopeo', ['copy', '-q', `oci:${layout}:x`, `${kind}:${file}:docker.io/library/x:1`]);
      const [image] = await made.store.load({ kind: 'archive', stream: createReadStream(file) }, operation);
      assert.deepEqual(image?.diffIds, layers.map(sha256), kind);
    }
    const parts: Uint8Array[] = [];
    for await (const part of made.store.save(['x:1'], operation)) parts.push(part);
    const saved = join(place.path, 'saved.tar');
    writeFileSync(saved, Buffer.concat(parts));
    for (const source of [`docker-archive:${saved}:docker.io/library/x:1`, `oci-archive:${saved}:1`]) {
      const copy = join(place.path, 'copy', source.slice(0, 3));
      mkdirSync(copy, { recursive: true });
      run('skopeo', ['copy', '-q', source, `dir:${copy}`]);
      const blobs = readdirSync(copy).map((name) => sha256(readFileSync(join(copy, name))));
      for (const layer of layers) assert.ok(blobs.includes(sha256(layer)), source);
    }
  });

  describe('refuses, with a clear error and nothing left,', () => {
    async function refused(bytes: Buffer, error: object, limits = {}): Promise<void> {
      await using made = await testStore(limits);
      await assert.rejects(made.store.load(archiveOf(bytes), operation), error);
      assertExactly(made.directory, []);
    }
    const bad = (members: Member[]) =>
      dockerArchive([{ tags: ['x:1'], layers: [layers[0] as Buffer, archive(members)] }]);

    it('archives that are cut off anywhere', async () => {
      const whole = dockerArchive([{ tags: ['x:1'], layers }]);
      for (const bytes of [whole, gzipSync(whole), zstdCompressSync(whole)]) {
        for (const part of [0.05, 0.3, 0.6, 0.95]) {
          await refused(bytes.subarray(0, Math.floor(bytes.length * part)), { code: 'IMAGE_CORRUPT' });
        }
      }
    });

    it('archives that were changed', async () => {
      const whole = dockerArchive([{ tags: ['x:1'], layers }]);
      whole[whole.indexOf(layers[0]?.subarray(600, 700) as Buffer)] = 0;
      await refused(whole, { code: 'IMAGE_CORRUPT', message: /digest/ });
    });

    it('paths that lead out of the image', async () => {
      await refused(bad([{ name: '../../etc/passwd' }]), { code: 'IMAGE_CORRUPT', message: /leads upwards/ });
      await refused(bad([{ name: '/etc/passwd' }]), { code: 'IMAGE_CORRUPT', message: /absolute/ });
      await refused(bad([{ name: 'l', type: '2', link: '/' }, { name: 'l/x' }]), {
        code: 'IMAGE_CORRUPT',
        message: /symbolic link/,
      });
      await refused(bad([{ name: 'h', type: '1', link: '../../x' }]), {
        code: 'IMAGE_CORRUPT',
        message: /leads upwards/,
      });
    });

    it('layers beyond the limits, compressed bombs among them', async () => {
      const bomb = archive([{ name: 'zeros', data: Buffer.alloc(30_000_000) }]);
      const layout = dockerArchive([{ tags: null, layers: [bomb] }]);
      await refused(gzipSync(layout), { code: 'LIMIT_EXCEEDED' }, { maxBytes: 10_000_000 });
      const many = archive(Array.from({ length: 200 }, (_, i) => ({ name: `f${i}` })));
      await refused(dockerArchive([{ tags: null, layers: [many] }]), { code: 'LIMIT_EXCEEDED' }, { maxEntries: 100 });
    });

    it('archives of more members than images can have', async () => {
      const many = archive(
        Array.from({ length: 1000 }, (_, at) => ({ name: `l${at}`, type: '2', link: 'x' })),
        false,
      );
      const stream = async function* (): AsyncGenerator<Buffer> {
        for (let part = 0; part < 101; part++) yield Buffer.from(many);
      };
      await using made = await testStore();
      await assert.rejects(made.store.load({ kind: 'archive', stream: stream() }, operation), {
        code: 'LIMIT_EXCEEDED',
        message: /100000 members/,
      });
      assertExactly(made.directory, []);
    });

    it('a zip of zeros behind the end of a layer', async () => {
      await using place = await temporary();
      await using made = await testStore({ maxBytes: 10_000_000 });
      writeLayout(place.path, [
        { tag: 'x', layers: [Buffer.concat([layers[0] as Buffer, Buffer.alloc(30_000_000)])], compression: 'gzip' },
      ]);
      await assert.rejects(made.store.load({ kind: 'directory', path: place.path }, operation), {
        code: 'LIMIT_EXCEEDED',
      });
      assertExactly(made.directory, []);
    });

    it('manifests that name what is not there or means something else', async () => {
      const docker = (manifest: unknown) =>
        archive([{ name: 'manifest.json', data: Buffer.from(JSON.stringify(manifest)) }]);
      await refused(docker([]), { code: 'IMAGE_CORRUPT' });
      await refused(docker([{ Config: 'x.json', Layers: [] }]), { code: 'IMAGE_CORRUPT', message: /lacks the config/ });
      await refused(docker([{ Config: '../../etc/passwd', Layers: [] }]), { code: 'IMAGE_CORRUPT' });
      await refused(docker([{ Config: 1 }]), { code: 'IMAGE_CORRUPT' });
      await refused(archive([{ name: 'other', data: Buffer.from('x'.repeat(100)) }]), {
        code: 'IMAGE_CORRUPT',
        message: /no image/,
      });
      const index = {
        schemaVersion: 2,
        manifests: [
          { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: sha256(Buffer.from('')), size: 0 },
        ],
      };
      await refused(archive([{ name: 'index.json', data: Buffer.from(JSON.stringify(index)) }]), {
        code: 'IMAGE_CORRUPT',
        message: /lacks/,
      });
    });

    it('bzip2 and xz, by name', async () => {
      await refused(Buffer.from('BZh91AY&SYxxxxxxxx'), { code: 'UNSUPPORTED', message: /bzip2/ });
      await refused(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0]), { code: 'UNSUPPORTED', message: /xz/ });
    });
  });

  it('on a full disk says so and leaves nothing', async function () {
    const able = process.getuid?.() === 0;
    needs(this, able, 'root, to mount a small file system');
    needPrograms(this, 'mke2fs');
    await using place = await temporary();
    const image = join(place.path, 'small.img');
    const mount = join(place.path, 'small');
    writeFileSync(image, '');
    truncateSync(image, 12 * 2 ** 20);
    run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', image]);
    mkdirSync(mount);
    run('mount', ['-o', 'loop', image, mount]);
    try {
      const directory = join(mount, 'store');
      await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
      const big = archive([{ name: 'big', data: randomBytes(20_000_000) }]);
      await assert.rejects(store.load(archiveOf(dockerArchive([{ tags: ['big:1'], layers: [big] }])), operation), {
        code: 'DISK_FULL',
      });
      assertExactly(directory, []);
      const images = await store.load(archiveOf(dockerArchive([{ tags: ['small:1'], layers }])), operation);
      assertExactly(directory, images);
    } finally {
      run('umount', [mount]);
    }
  });

  it('by two processes of the same image gives it once', async () => {
    await using place = await temporary();
    const file = join(place.path, 'image.tar');
    writeFileSync(
      file,
      dockerArchive([
        { tags: ['twice:1'], layers: [archive([{ name: 'big', data: randomBytes(8_000_000) }]), ...layers] },
      ]),
    );
    const directory = join(place.path, 'store');
    const codes = await Promise.all([load(directory, file), load(directory, file), load(directory, file)]);
    assert.deepEqual(codes, [0, 0, 0]);
    await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
    assertExactly(directory, [await store.inspect('twice:1', operation)]);
  });
});

describe('the store', function () {
  this.timeout(60_000);

  it('keeps ten layers that two images share once', async () => {
    await using place = await temporary();
    await using made = await testStore();
    const shared = Array.from({ length: 10 }, (_, i) => archive([{ name: `f${i}`, data: randomBytes(100_000) }]));
    const own = [1, 2].map((n) => archive([{ name: `own${n}`, data: randomBytes(100_000) }]));
    writeLayout(
      place.path,
      own.map((layer, i) => ({ tag: `reg.example/i:${i}`, layers: [...shared, layer] })),
    );
    const images = await made.store.load({ kind: 'directory', path: place.path }, operation);
    assertExactly(made.directory, images);
    assert.equal(readdirSync(join(made.directory, 'layers/sha256')).length, 12);
    assert.ok(diskUsage(join(made.directory, 'layers')) < 1_600_000);
    const disks = await Promise.all(images.map(({ id }) => made.store.rootDisk(id, operation)));
    assert.ok(diskUsage(join(made.directory, 'disks')) < 100_000);
    for (const disk of disks) await disk.release();
  });

  it('writes less than a megabyte for one file on top of a gigabyte', async () => {
    await using made = await testStore();
    const base = await made.store.import(gigabyte(), { ...operation, name: 'base' });
    assert.ok(base.sizeBytes > 1e9);
    const before = diskUsage(made.directory);
    const change = {
      base: base.id,
      layer: cut(layers[1] as Buffer),
      config: base.config,
      createdBy: 'test',
      created: '2024-01-01T00:00:00Z',
    };
    const image = await made.store.commit(change, operation);
    const disk = await made.store.rootDisk(image.id, operation);
    assert.ok(diskUsage(made.directory) - before < 1_000_000);
    await disk.release();
  });

  it('clears away what a crashed process left, and nothing that a living one holds', async () => {
    await using place = await temporary();
    const directory = join(place.path, 'store');
    await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
    const [image] = await store.load(archiveOf(dockerArchive([{ tags: ['kept:1'], layers }])), operation);
    const disk = await store.rootDisk(image?.id ?? '', operation);
    for (const path of ['work/stray/room', 'layers/sha256/1234', 'disks/sha256/12'])
      mkdirSync(join(directory, path), { recursive: true });
    writeFileSync(join(directory, 'blobs/sha256/ab'), 'x');
    await using second = await OciImageStore.open({ directory, logger: collectingLogger([]) });
    assertExactly(
      directory,
      await Promise.all((await second.list(operation)).map(({ id }) => second.inspect(id, operation))),
    );
    assert.ok(statSync(disk.disk.path).size > 0);
    await assert.rejects(second.remove('kept:1', operation), { code: 'IMAGE_IN_USE' });
    await disk.release();
  });

  it('heals an image whose layer file is gone when the image is loaded again', async () => {
    await using made = await testStore();
    const bytes = dockerArchive([{ tags: ['x:1'], layers }]);
    await made.store.load(archiveOf(bytes), operation);
    run('rm', ['-r', join(made.directory, 'layers/sha256', sha256(layers[0] as Buffer).slice(7))]);
    const images = await made.store.load(archiveOf(bytes), operation);
    assertExactly(made.directory, images);
  });

  it('warns of attributes that it cannot keep', async () => {
    await using made = await testStore();
    await made.store.import(cut(archive([{ name: 'a', pax: [['SCHILY.xattr.com.apple.x', '1']] }])), operation);
    assert.match(String(made.warnings[0]?.['warning']), /com\.apple\.x/);
  });
});

/** An archive of one file of 1 GB, end mark included. */
async function* gigabyte(): AsyncGenerator<Buffer> {
  const tar = archive([{ name: 'a', size: 1_000_000_512 }], false);
  yield tar;
  const block = randomBytes(1_000_000);
  for (let i = 0; i < 1000; i++) yield block;
  yield Buffer.alloc(512 + 1024);
}

/** Bytes on disk. */
function diskUsage(path: string): number {
  return Number(run('du', ['-s', '-B1', path]).split('\t')[0]);
}

async function load(directory: string, file: string): Promise<number | null> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'support/load-main.ts'), directory, file], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}
