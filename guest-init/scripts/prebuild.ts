/**
 * `npm run prebuild-binary [-- ARCHITECTURE...]`: makes the executables that are checked in, for machines without cargo,
 * crates.io or a compiler for the other processor.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { type GuestArchitecture, prebuiltManifest } from '../index.js';
import { cargoBuild, TARGETS } from './cargo.ts';

const LEVEL = 19;
const root = join(import.meta.dirname, '..');

const all = Object.keys(TARGETS) as GuestArchitecture[];
const [, , ...names] = process.argv;
const unknown = names.find((name) => !(all as string[]).includes(name));
if (unknown !== undefined) throw new Error(`guest-init: there is no architecture ${unknown}; give ${all.join(' or ')}`);
const manifests: Record<string, unknown> = Object.fromEntries(
  all.flatMap((name) => {
    const manifest = prebuiltManifest(name);
    return manifest === undefined ? [] : [[name, manifest]];
  }),
);
for (const architecture of names.length > 0 ? (names as GuestArchitecture[]) : all) {
  const { binary, manifest } = cargoBuild(architecture);
  const directory = join(root, 'prebuilt', architecture);
  mkdirSync(directory, { recursive: true });
  const packed = zstdCompressSync(binary, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  writeFileSync(join(directory, 'guest-init.zst'), packed);
  manifests[architecture] = manifest;
  console.log(`${architecture}: ${binary.length} bytes, packed ${packed.length}, sha256 ${manifest.sha256}`);
}
writeFileSync(join(root, 'prebuilt/manifest.json'), `${JSON.stringify(manifests, null, 2)}\n`);
