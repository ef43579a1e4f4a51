// Makes src/vm/assets/scratch-template.gen.ts: empty ext4 file systems of a few sizes, reduced to what is not zero in
// them. For developers; needs mke2fs 1.47 (e2fsprogs) and gives the same bytes each time.
//
//   node core/scripts/make-scratch-template.ts [OUTPUT]
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const GIB = 1024 ** 3;
const SIZES = [1, 4, 16, 64, 256].map((gib) => gib * GIB);
const BLOCK = 4096;
/** 128 MiB of 4 KiB blocks: as many as one block of bitmap describes. */
const GROUP_BYTES = 32768 * BLOCK;

const ENVIRONMENT = {
  PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
  E2FSPROGS_FAKE_TIME: '1700000000',
  MKE2FS_CONFIG: '/dev/null',
};

// What each feature is for: docs/adr/0012-scratch-template.md.
const FEATURES = [
  'none',
  'has_journal',
  'ext_attr',
  'dir_index',
  'filetype',
  'extent',
  'flex_bg',
  'sparse_super2',
  'large_file',
  'huge_file',
  'uninit_bg',
  'dir_nlink',
  'extra_isize',
];

function makeFileSystem(path: string, sizeBytes: number): void {
  const descriptor = openSync(path, 'w');
  ftruncateSync(descriptor, sizeBytes);
  closeSync(descriptor);
  // One group of groups: all metadata lie together at the start.
  const groups = 2 ** Math.ceil(Math.log2(sizeBytes / GROUP_BYTES));
  const extended = [
    'hash_seed=5ca7c400-a35b-4000-8000-000000000002',
    'lazy_itable_init=0',
    'lazy_journal_init=0',
    'nodiscard',
    'packed_meta_blocks=1',
    'num_backup_sb=0',
    'root_owner=0:0',
  ];
  const options = ['-F', '-q', '-t', 'ext4', '-b', String(BLOCK), '-m', '0', '-i', '32768', '-I', '256'];
  const layout = ['-G', String(groups), '-J', 'size=32', '-U', '5ca7c400-a35b-4000-8000-000000000001'];
  execFileSync('mke2fs', [...options, ...layout, '-O', FEATURES.join(','), '-E', extended.join(','), path], {
    env: ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Where a sparse file holds data, as `filefrag -e` (e2fsprogs) lists it: start and end block of each extent. */
function allocatedBlocks(path: string): number[] {
  const listing = execFileSync('filefrag', ['-e', `-b${BLOCK}`, path], { encoding: 'utf8', env: ENVIRONMENT });
  return [...listing.matchAll(/^ *[0-9]+: +([0-9]+)\.\. *([0-9]+):/gm)].flatMap(([, first, last]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index),
  );
}

function nonZeroExtents(path: string): { offset: number; data: Buffer }[] {
  const extents: { offset: number; data: Buffer }[] = [];
  const descriptor = openSync(path, 'r');
  const zero = Buffer.alloc(BLOCK);
  for (const number of allocatedBlocks(path)) {
    const block = Buffer.alloc(BLOCK);
    readSync(descriptor, block, 0, BLOCK, number * BLOCK);
    if (block.equals(zero)) continue;
    const last = extents.at(-1);
    if (last !== undefined && last.offset + last.data.length === number * BLOCK) {
      last.data = Buffer.concat([last.data, block]);
    } else {
      extents.push({ offset: number * BLOCK, data: block });
    }
  }
  closeSync(descriptor);
  return extents;
}

function template(sizeBytes: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'scratch-template-'));
  try {
    const path = join(directory, 'image');
    makeFileSystem(path, sizeBytes);
    execFileSync('fallocate', ['--dig-holes', path]);
    const extents = nonZeroExtents(path);
    const data = Buffer.concat(extents.map((extent) => extent.data));
    const packed = brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
    const places = extents.map(({ offset, data: { length } }) => `[${offset}, ${length}]`).join(', ');
    const digest = createHash('sha256').update(data).digest('hex');
    return [
      '  {',
      `    sizeBytes: ${sizeBytes},`,
      `    extents: [${places}],`,
      `    sha256: '${digest}',`,
      `    brotli:\n      '${packed.toString('base64')}',`,
      '  },',
    ].join('\n');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const output = process.argv[2] ?? join(import.meta.dirname, '..', 'src', 'vm', 'assets', 'scratch-template.gen.ts');
writeFileSync(
  output,
  `// Made by core/scripts/make-scratch-template.ts. Do not edit.
import type { ScratchTemplate } from './scratch-disk.js';

export const SCRATCH_TEMPLATES: readonly ScratchTemplate[] = [
${SIZES.map(template).join('\n')}
];
`,
);
