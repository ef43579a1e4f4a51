/** Archives of a small tree as GNU tar writes them in each of its formats, and those of the nasty corpus. */
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archive, extension, type Member } from '../../test/support/tar-builder.ts';

const FORMATS: Readonly<Record<string, readonly string[]>> = {
  v7: ['--format=v7'],
  ustar: ['--format=ustar'],
  gnu: ['--format=gnu'],
  oldgnu: ['--format=oldgnu', '--sparse'],
  'pax-0.0': ['--format=posix', '--sparse', '--sparse-version=0.0'],
  'pax-0.1': ['--format=posix', '--sparse', '--sparse-version=0.1'],
  'pax-1.0': ['--format=posix', '--sparse', '--sparse-version=1.0'],
};

/** @throws when there is no GNU tar */
export function* archiveSeeds(): Generator<readonly [name: string, tar: Buffer]> {
  const directory = mkdtempSync(join(tmpdir(), 'seeds-'));
  try {
    makeTree(directory);
    for (const [name, options] of Object.entries(FORMATS)) {
      // The long name is more than old formats can hold; they leave it out and say so with their status.
      const old = name === 'v7' || name === 'ustar';
      const args = [...options, '--sort=name', '--numeric-owner', ...(old ? ['--exclude=*nnn*'] : [])];
      const tar = execFileSync('tar', [...args, '--blocking-factor=1', '-c', '.'], { cwd: directory });
      yield [name, tar];
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  yield ['layer', archive(LAYER)];
  yield ['gnu-links', Buffer.concat([extension('L', Buffer.from(`${'p'.repeat(120)}\0`)), archive(LAYER.slice(0, 2))])];
}

function makeTree(directory: string): void {
  const at = (name: string): string => join(directory, name);
  mkdirSync(at('d'));
  writeFileSync(at('d/file'), 'content\n');
  linkSync(at('d/file'), at('d/hard'));
  symlinkSync('d/file', at('soft'));
  writeFileSync(at(`d/${'n'.repeat(120)}`), 'long');
  const sparse = openSync(at('sparse'), 'w');
  for (let run = 0; run < 6; run++) writeSync(sparse, Buffer.alloc(512, run + 1), 0, 512, run * 65_536);
  closeSync(sparse);
  for (const name of ['d/file', 'sparse', `d/${'n'.repeat(120)}`, 'd', '.'])
    utimesSync(at(name), 1_600_000_000.25, 1_600_000_000.25);
}

const LAYER: readonly Member[] = [
  { name: './', type: '5', mode: 0o755 },
  {
    name: 'bin/tool',
    mode: 0o4755,
    data: Buffer.from('#!/bin/sh\n'),
    pax: [
      ['mtime', '-1.5'],
      ['SCHILY.xattr.security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex')],
      ['LIBARCHIVE.xattr.user.%61', 'YQ=='],
    ],
  },
  { name: 'bin/again', type: '1', link: 'bin/tool' },
  { name: 'lib', type: '2', link: 'usr/lib' },
  { name: 'dev/null', type: '3', major: 1, minor: 3 },
  { name: 'dev/disk', type: '4', major: 259, minor: 300_000 },
  { name: 'run/pipe', type: '6' },
  { name: 'etc/.wh.old' },
  { name: 'etc/.wh..wh..opq' },
  { name: 'from-below', type: '1', link: 'usr/share/below' },
];
