/** `npm run prebuild-binary`: makes the executable that is checked in, for machines without cargo or crates.io. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { cargoBuild } from './cargo.ts';

const LEVEL = 19;
const prebuilt = join(import.meta.dirname, '../gateway/prebuilt');

const { binary, manifest } = cargoBuild();
const packed = zstdCompressSync(binary, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
mkdirSync(join(prebuilt, process.arch), { recursive: true });
writeFileSync(join(prebuilt, process.arch, 'a3s-box-gateway.zst'), packed);
writeFileSync(join(prebuilt, 'manifest.json'), `${JSON.stringify({ [process.arch]: manifest }, null, 2)}\n`);
console.log(`${process.arch}: ${binary.length} bytes, packed ${packed.length}, sha256 ${manifest.sha256}`);
