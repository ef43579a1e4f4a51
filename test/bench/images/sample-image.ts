/** Makes the image that the image benchmarks work on: by default 40,000 files, 300 MB, in one OCI layout of one layer. */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface SampleShape {
  readonly files: number;
  readonly bytes: number;
}

/** A small generator (xorshift32), so that every run makes the same image. */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function header(name: string, type: string, mode: number, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, 'utf8');
  block.write(`${mode.toString(8).padStart(7, '0')}\0${'0'.repeat(7)}\0${'0'.repeat(7)}\0`, 100, 'latin1');
  block.write(
    `${size.toString(8).padStart(11, '0')}\0${(1_700_000_000).toString(8).padStart(11, '0')}\0        `,
    124,
    'latin1',
  );
  block.write(type, 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function* layer({ files, bytes }: SampleShape): Generator<Buffer> {
  const random = randomSource(0x2545f491);
  const content = Buffer.alloc(1 << 20);
  // Text-like: half of it repeats, so that compression has something to do.
  for (let at = 0; at < content.length; at++) content[at] = random() < 0.5 ? 32 + Math.floor(random() * 90) : 101;
  const mean = bytes / files - 512;
  const directories = Math.ceil(files / 40);
  for (let directory = 0; directory < directories; directory++) {
    const base = `usr/share/d${directory % 50}/`;
    if (directory < 50) yield header(base, '5', 0o755, 0);
    yield header(`${base}p${directory}/`, '5', 0o755, 0);
    for (let file = 0; file < 40 && directory * 40 + file < files; file++) {
      const size = Math.floor(-Math.log(1 - random()) * mean * 0.95) % content.length;
      yield header(`${base}p${directory}/file-${file}.txt`, '0', 0o644, size);
      const start = Math.floor(random() * (content.length - size));
      yield content.subarray(start, start + size);
      yield Buffer.alloc((512 - (size % 512)) % 512);
    }
  }
  yield Buffer.alloc(1024);
}

/** Writes an OCI layout that skopeo and umoci read, tagged `sample`. @returns bytes of its layer */
export function writeSampleImage(directory: string, shape: SampleShape): number {
  rmSync(directory, { recursive: true, force: true });
  const blobs = join(directory, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const hash = createHash('sha256');
  const temporary = join(blobs, 'layer');
  const file = openSync(temporary, 'w');
  let size = 0;
  for (const part of layer(shape)) {
    hash.update(part);
    size += writeSync(file, part);
  }
  closeSync(file);
  const diffId = hash.digest('hex');
  renameSync(temporary, join(blobs, diffId));
  const put = (document: object): { digest: string; size: number } => {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, digest), bytes);
    return { digest: `sha256:${digest}`, size: bytes.length };
  };
  const config = put({
    created: '2024-01-01T00:00:00Z',
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['/bin/true'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
    history: [{ created: '2024-01-01T00:00:00Z', created_by: 'sample' }],
  });
  const manifest = put({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${diffId}`, size }],
  });
  writeFileSync(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(
    join(directory, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          annotations: { 'org.opencontainers.image.ref.name': 'sample' },
        },
      ],
    }),
  );
  return size;
}
