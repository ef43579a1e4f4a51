/** Makes the images that the image benchmarks work on, as OCI layouts. */
import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** What one layer has. */
export interface SampleLayer {
  readonly files: number;
  readonly bytes: number;
  /** Of two layers with different seeds no file is the same. Default: 1. */
  readonly seed?: number;
  /** Whether it is compressed. Default: no. */
  readonly gzip?: boolean;
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

function* layer({ files, bytes, seed = 1 }: SampleLayer): Generator<Buffer> {
  const random = randomSource(0x2545f491 * seed);
  const content = Buffer.alloc(1 << 20);
  // Text-like: half of it repeats, so that compression has something to do.
  for (let at = 0; at < content.length; at++) content[at] = random() < 0.5 ? 32 + Math.floor(random() * 90) : 101;
  const mean = bytes / files - 512;
  const directories = Math.ceil(files / 40);
  for (let directory = 0; directory < directories; directory++) {
    const base = `usr/share/${seed > 1 ? `${seed}-` : ''}d${directory % 50}/`;
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

interface Written {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly diffId: string;
  /** Uncompressed. */
  readonly bytes: number;
}

function digesting() {
  const hash = createHash('sha256');
  let size = 0;
  const stream = new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      size += piece.length;
      done(null, piece);
    },
  });
  return { stream, end: () => ({ digest: hash.digest('hex'), size }) };
}

async function writeLayer(blobs: string, shape: SampleLayer): Promise<Written> {
  const temporary = join(blobs, 'layer');
  const [plain, stored] = [digesting(), digesting()];
  const compression = shape.gzip ? createGzip() : new PassThrough();
  await pipeline(layer(shape), plain.stream, compression, stored.stream, createWriteStream(temporary));
  const { digest: diffId, size: bytes } = plain.end();
  const { digest, size } = stored.end();
  renameSync(temporary, join(blobs, digest));
  const mediaType = `application/vnd.oci.image.layer.v1.tar${shape.gzip ? '+gzip' : ''}`;
  return { mediaType, digest: `sha256:${digest}`, size, diffId: `sha256:${diffId}`, bytes };
}

/** Writes an OCI layout that skopeo and umoci read, tagged `sample`. @returns bytes of its layers, uncompressed */
export async function writeSampleImage(directory: string, shapes: readonly SampleLayer[]): Promise<number> {
  rmSync(directory, { recursive: true, force: true });
  const blobs = join(directory, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const layers: Written[] = [];
  for (const shape of shapes) layers.push(await writeLayer(blobs, shape));
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
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'sample' })),
  });
  const manifest = put({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
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
  return layers.reduce((sum, { bytes }) => sum + bytes, 0);
}
