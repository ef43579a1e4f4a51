import { BoxError, DISK_SLOTS, type DiskImage, type DiskSlot, type VmSpec } from '@a3s-box/core';
import type { KrunDocument } from '@a3s-box/native';
import { relocateExtents } from '@a3s-box/vmm';
import type { Handout } from './handout.js';

type Disk = KrunDocument['disks'][number];

/**
 * The disks in slot order. libkrun gives disks serial numbers of its own making, so that the guest goes by their places: an
 * empty slot before one that is not holds a disk of zeros.
 *
 * @throws UNSUPPORTED for a writable VMDK, INVALID_ARGUMENT for a descriptor that cannot be used
 */
export function diskEntries({ disks, directory }: Pick<VmSpec, 'disks' | 'directory'>, handout: Handout): Disk[] {
  const last = DISK_SLOTS.findLastIndex((slot) => disks[slot] !== undefined);
  return DISK_SLOTS.slice(0, last + 1).map((slot) => {
    const disk = disks[slot];
    return disk === undefined ? placeholder(slot, handout) : entry(slot, disk, directory, handout);
  });
}

function placeholder(slot: DiskSlot, handout: Handout): Disk {
  return { id: slot, path: handout.zeros(), format: 'raw', readOnly: true, sync: 'none' };
}

function entry(slot: DiskSlot, disk: DiskImage, directory: string, handout: Handout): Disk {
  const { format, readOnly } = disk;
  if (format === 'vmdk' && !readOnly) {
    throw new BoxError('UNSUPPORTED', `disk ${slot} cannot be a writable vmdk`, {
      hint: 'give a raw image, or make it read-only',
    });
  }
  return {
    id: slot,
    path: handout.open(backing(slot, disk, directory, handout), readOnly ? 'r' : 'r+'),
    format,
    readOnly,
    sync: readOnly ? 'none' : 'relaxed',
  };
}

/** What the slot's file is: the image itself, or a descriptor that was written for the VMM. */
function backing(slot: DiskSlot, disk: DiskImage, directory: string, handout: Handout): string {
  if (disk.format === 'raw') return disk.path;
  return relocateExtents(disk, {
    directory,
    slot,
    give: (path, flags) => handout.openUnnamed(path, flags),
    zeros: () => handout.zeros(),
  });
}

/** Most bytes that the VMM may have in one file of a disk. */
export function writableDisks({ disks }: Pick<VmSpec, 'disks'>): string[] {
  return Object.values(disks).flatMap(({ path, readOnly }) => (readOnly ? [] : [path]));
}
