/** `npm run prebuild-binary`: makes the executable that is checked in, for machines without cargo or crates.io. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { cargoBuild } from './cargo.ts';

const LEVEL = 19;
const root = join(import.meta.dirname, '..');
const targets = { x86_64: 'x86_64-unknown-linux-gnu' };

const manifests: Record<string, unknown> = {};
for (const [architecture, target] of Object.entries(targets)) {
  const { binary, manifest } = cargoBuild(target);
  const directory = join(root, 'prebuilt', architecture);
  mkdirSync(directory, { recursive: true });
  const packed = zstdCompressSync(binary, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  writeFileSync(join(directory, 'guest-init.zst'), packed);
  manifests[architecture] = manifest;
  console.log(`${architecture}: ${binary.length} bytes, packed ${packed.length}, sha256 ${manifest.sha256}`);
}
writeFileSync(join(root, 'prebuilt/manifest.json'), `${JSON.stringify(manifests, null, 2)}\n`);
