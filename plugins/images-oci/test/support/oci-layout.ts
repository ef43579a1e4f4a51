/** Writes OCI layouts from layer archives. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

export type Compression = 'none' | 'gzip' | 'zstd';

export const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface LayoutImage {
  readonly tag: string;
  readonly layers: readonly Buffer[];
  readonly compression?: Compression;
  readonly architecture?: string;
}

const MEDIA_TYPE = {
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
};

export function compress(bytes: Buffer, compression: Compression): Buffer {
  return compression === 'gzip' ? gzipSync(bytes) : compression === 'zstd' ? zstdCompressSync(bytes) : bytes;
}

export function writeLayout(directory: string, images: readonly LayoutImage[]): void {
  const blobs = join(directory, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Buffer) => {
    const digest = sha256(bytes);
    writeFileSync(join(blobs, digest.slice(7)), bytes);
    return { digest, size: bytes.length };
  };
  const json = (document: object) => put(Buffer.from(JSON.stringify(document)));
  const manifests = images.map(({ tag, layers, compression = 'none', architecture = 'amd64' }) => {
    const config = json({
      created: '2024-01-01T00:00:00Z',
      architecture,
      os: 'linux',
      config: { Cmd: ['/bin/sh'], Labels: { tag } },
      rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
      history: layers.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'test' })),
    });
    const manifest = json({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: layers.map((layer) => ({ mediaType: MEDIA_TYPE[compression], ...put(compress(layer, compression)) })),
    });
    return {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      ...manifest,
      annotations: { 'org.opencontainers.image.ref.name': tag },
    };
  });
  writeFileSync(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}
