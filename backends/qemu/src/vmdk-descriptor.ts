import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BoxError, type DiskImage } from '@a3s-box/core';

/** One extent line: access, sectors, `FLAT`, name, offset in sectors. Other kinds carry data of their own. */
const FLAT_EXTENT = /^(RW|RDONLY) ([0-9]+) FLAT "([^"]+)" ([0-9]+)$/;
const ZERO_EXTENT = /^(RW|RDONLY) [0-9]+ ZERO$/;
const SIGNATURE = '# Disk DescriptorFile';
const EXTENT_KEYWORD = /^(RW|RDONLY|NOACCESS) /;

/**
 * Writes a copy of a flat VMDK descriptor that names its extents as the VMM sees them.
 *
 * @param directory where the copy goes @param give opens a file for the VMM and returns its path there
 * @returns the copy's path
 * @throws INVALID_ARGUMENT for what is no flat descriptor, and for an extent that {@link DiskImage.extents} lacks
 */
export function relocateExtents(
  disk: DiskImage,
  directory: string,
  slot: string,
  give: (path: string, flags: string) => string,
): string {
  const text = readFileSync(disk.path, 'utf8');
  if (!text.startsWith(SIGNATURE)) throw invalid(disk.path, 'it is no descriptor');
  const known = new Set(disk.extents);
  const given = new Map<string, string>();
  const lines = text.split('\n').map((line) => {
    if (!EXTENT_KEYWORD.test(line)) return line;
    if (ZERO_EXTENT.test(line)) return line.replace(/^RDONLY/, 'RW');
    const [, , sectors, name, offset] = FLAT_EXTENT.exec(line) ?? [];
    if (name === undefined) throw invalid(disk.path, `its extent "${line}" is not flat`);
    const path = resolve(dirname(disk.path), name);
    if (!known.has(path)) throw invalid(disk.path, `its extent ${path} was not named by the caller`);
    const seen = given.get(path) ?? give(path, 'r');
    given.set(path, seen);
    // QEMU passes over extents of another access; the node above them is what is read-only, and so are their files.
    return `RW ${sectors} FLAT "${seen}" ${offset}`;
  });
  const copy = join(directory, `${slot}.vmdk`);
  writeFileSync(copy, lines.join('\n'), { mode: 0o600, flag: 'wx' });
  return copy;
}

function invalid(path: string, fault: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', `disk descriptor ${path} cannot be used: ${fault}`, {
    hint: 'give a VMDK descriptor with flat extents, each of them listed in the spec',
  });
}
