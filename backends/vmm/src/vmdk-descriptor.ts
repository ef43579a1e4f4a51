import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BoxError, type DiskImage } from '@a3s-box/core';

/** One extent line: access, sectors, `FLAT`, name, offset in sectors. Other kinds carry data of their own. */
const FLAT_EXTENT = /^(RW|RDONLY) ([0-9]+) FLAT "([^"]+)" ([0-9]+)$/;
const ZERO_EXTENT = /^(RW|RDONLY) ([0-9]+) ZERO$/;
const SIGNATURE = '# Disk DescriptorFile';
const EXTENT_KEYWORD = /^(RW|RDONLY|NOACCESS) /;
const SECTOR = 512;

/** Where a descriptor goes, and how it names files. */
export interface DescriptorOptions {
  /** Absolute path of the directory that it is written to. */
  readonly directory: string;
  readonly slot: string;
  /** Opens a file for the VMM and returns its path there. */
  readonly give: (path: string, flags: string) => string;
  /** Path, as the VMM sees it, of a file that reads as zeros for as far as a disk may reach. */
  readonly zeros: () => string;
  /** Size that the disk is to have, bytes: zeros follow what it holds. Absent: as it is. */
  readonly bytes?: number;
}

/**
 * Writes a copy of a flat VMDK descriptor that names its extents as the VMM sees them.
 *
 * @returns the copy's path
 * @throws INVALID_ARGUMENT for what is no flat descriptor, and for an extent that {@link DiskImage.extents} lacks
 * @throws UNSUPPORTED when it holds more than {@link DescriptorOptions.bytes}
 */
export function relocateExtents(disk: DiskImage, options: DescriptorOptions): string {
  const text = readFileSync(disk.path, 'utf8');
  if (!text.startsWith(SIGNATURE)) throw invalid(disk.path, 'it is no descriptor');
  const known = new Set(disk.extents);
  const given = new Map<string, string>();
  let total = 0;
  // QEMU's reader takes the line after an empty one twice.
  const lines = text.split('\n').filter((line) => line !== '');
  const relocated = lines.map((line) => {
    if (!EXTENT_KEYWORD.test(line)) return line;
    const [, , empty] = ZERO_EXTENT.exec(line) ?? [];
    if (empty !== undefined) {
      total += Number(empty);
      return zeroExtent(Number(empty), options);
    }
    const [, , sectors, name, offset] = FLAT_EXTENT.exec(line) ?? [];
    if (name === undefined) throw invalid(disk.path, `its extent "${line}" is not flat`);
    total += Number(sectors);
    const path = resolve(dirname(disk.path), name);
    if (!known.has(path)) throw invalid(disk.path, `its extent ${path} was not named by the caller`);
    const seen = given.get(path) ?? options.give(path, 'r');
    given.set(path, seen);
    // QEMU passes over extents of another access; the node above them is what is read-only, and so are their files.
    return `RW ${sectors} FLAT "${seen}" ${offset}`;
  });
  const last = lines.findLastIndex((line) => EXTENT_KEYWORD.test(line));
  relocated.splice(last + 1, 0, ...padding(disk, total, options));
  return write(relocated, options);
}

/** Writes a descriptor that shows a raw image with zeros behind it. @throws UNSUPPORTED, as {@link relocateExtents} */
export function padImage(disk: DiskImage, options: DescriptorOptions): string {
  const { size } = statSync(disk.path);
  if (size % SECTOR !== 0) throw unfit(disk.path, `its size, ${size} bytes, is no whole number of sectors`);
  const sectors = size / SECTOR;
  const extent = `RW ${sectors} FLAT "${options.give(disk.path, 'r')}" 0`;
  const head = [SIGNATURE, 'version=1', 'CID=fffffffe', 'parentCID=ffffffff', 'createType="twoGbMaxExtentFlat"'];
  return write([...head, ...(sectors === 0 ? [] : [extent]), ...padding(disk, sectors, options)], options);
}

function padding(disk: DiskImage, sectors: number, options: DescriptorOptions): string[] {
  if (options.bytes === undefined) return [];
  const missing = options.bytes / SECTOR - sectors;
  if (missing < 0) throw unfit(disk.path, `it is larger than the ${options.bytes} bytes of its slot`);
  return missing === 0 ? [] : [zeroExtent(missing, options)];
}

/** QEMU's reader passes over extents of the type ZERO. */
function zeroExtent(sectors: number, { zeros }: DescriptorOptions): string {
  return `RW ${sectors} FLAT "${zeros()}" 0`;
}

function write(lines: readonly string[], { directory, slot }: DescriptorOptions): string {
  const copy = join(directory, `${slot}.vmdk`);
  writeFileSync(copy, `${lines.join('\n')}\n`, { mode: 0o600, flag: 'wx' });
  return copy;
}

function unfit(path: string, fault: string): BoxError {
  return new BoxError('UNSUPPORTED', `disk image ${path} has no place in a clone: ${fault}`);
}

function invalid(path: string, fault: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', `disk descriptor ${path} cannot be used: ${fault}`, {
    hint: 'give a VMDK descriptor with flat extents, each of them listed in the spec',
  });
}
