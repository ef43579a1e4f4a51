import { statSync } from 'node:fs';
import { BoxError, DISK_SLOTS, type DiskImage, type DiskSlot, type VmSpec } from '@a3s-box/core';
import type { DescriptorTable } from './descriptor-table.js';
import { relocateExtents } from './vmdk-descriptor.js';

/** Size of the disk that a guest sees in an empty slot, bytes. Nothing of it is allocated; it reads as zeros. */
export const PLACEHOLDER_BYTES = 64 * 1024 ** 3;

export const AGENT_PORT = 'a3s.box.agent';

/** Sockets and pipes of the devices, as numbers in the VMM. */
export interface DeviceDescriptors {
  readonly qmp: number;
  readonly agent: number;
  readonly console: number;
  readonly network?: number;
  readonly share?: number;
}

/** What is behind a slot, for {@link Vm.swapDisk}. */
export interface SlotState {
  readonly bytes: number;
  readonly readOnly: boolean;
}

/**
 * Options for the devices, always in the same order: serial (console, agent), root, scratch, network card, share, disk0
 * to disk2. The place on the virtio-mmio bus follows from the order and is part of docs/compatibility.md.
 */
export function deviceOptions(spec: VmSpec, table: DescriptorTable, descriptors: DeviceDescriptors): string[] {
  const slot = (name: DiskSlot): string[] => slotOptions(name, spec, table);
  const [root, scratch, ...rest] = DISK_SLOTS;
  return [
    ...socketChardev('qmp', descriptors.qmp),
    ...['-mon', 'chardev=qmp,mode=control'],
    ...inheritedFile(descriptors.console),
    ...['-chardev', `file,id=console,path=/dev/fdset/${descriptors.console},append=on`],
    ...socketChardev('agent', descriptors.agent),
    ...['-device', 'virtio-serial-device,id=serial,max_ports=4', '-device', 'virtconsole,chardev=console'],
    ...['-device', `virtserialport,chardev=agent,name=${AGENT_PORT}`],
    ...slot(root),
    ...slot(scratch),
    ...networkOptions(spec, descriptors.network),
    ...shareOptions(descriptors.share),
    ...rest.flatMap(slot),
  ];
}

/** What stands in the slots after a start with this spec. Empty slots have no entry. */
export function slotStates(spec: VmSpec): Readonly<Partial<Record<DiskSlot, SlotState>>> {
  const given = DISK_SLOTS.flatMap((slot): [DiskSlot, SlotState][] => {
    const disk = spec.disks[slot];
    return disk === undefined ? [] : [[slot, { bytes: diskBytes(disk), readOnly: disk.readOnly }]];
  });
  return Object.fromEntries(given);
}

/** A descriptor's own size says nothing; what replaces it is bounded as a placeholder is. */
function diskBytes(disk: DiskImage): number {
  return disk.format === 'raw' ? statSync(disk.path).size : PLACEHOLDER_BYTES;
}

function socketChardev(id: string, descriptor: number): string[] {
  return ['-chardev', `socket,id=${id},fd=${descriptor},server=on,wait=off`];
}

/** Makes an inherited descriptor known under `/dev/fdset/N`, with its own number as the set's. */
function inheritedFile(descriptor: number): string[] {
  return ['-add-fd', `fd=${descriptor},set=${descriptor}`];
}

function slotOptions(slot: DiskSlot, spec: VmSpec, table: DescriptorTable): string[] {
  const disk = spec.disks[slot];
  const backing = disk === undefined ? placeholderOptions(slot) : imageOptions(slot, disk, spec.directory, table);
  return [...backing, '-device', `virtio-blk-device,drive=${slot},serial=${slot}`];
}

function placeholderOptions(slot: DiskSlot): string[] {
  const file = {
    driver: 'null-co',
    'node-name': `${slot}-file`,
    size: PLACEHOLDER_BYTES,
    'read-zeroes': true,
    'read-only': true,
  };
  return [...blockdev(file), ...blockdev(formatNode(slot, 'raw', true))];
}

function imageOptions(slot: DiskSlot, disk: DiskImage, directory: string, table: DescriptorTable): string[] {
  const options: string[] = [];
  const give = (path: string, flags: string): string => {
    const descriptor = table.open(path, flags);
    options.push(...inheritedFile(descriptor));
    return `/dev/fdset/${descriptor}`;
  };
  if (disk.format === 'vmdk' && !disk.readOnly) {
    throw new BoxError('UNSUPPORTED', `disk ${slot} cannot be a writable vmdk`, {
      hint: 'give a raw image, or make it read-only',
    });
  }
  const path = disk.format === 'vmdk' ? relocateExtents(disk, directory, slot, give) : disk.path;
  const file = fileNode(`${slot}-file`, give(path, disk.readOnly ? 'r' : 'r+'), disk.readOnly);
  return [...options, ...blockdev(file), ...blockdev(formatNode(slot, disk.format, disk.readOnly))];
}

/** The node that reads an inherited file. */
export function fileNode(name: string, filename: string, readOnly: boolean): Readonly<Record<string, unknown>> {
  return { driver: 'file', 'node-name': name, filename, 'read-only': readOnly, discard: 'unmap' };
}

/** The node that the device is attached to; its file can be replaced while the device stays. */
export function formatNode(
  slot: DiskSlot,
  format: DiskImage['format'],
  readOnly: boolean,
  file = `${slot}-file`,
): Readonly<Record<string, unknown>> {
  return { driver: format, 'node-name': slot, file, 'read-only': readOnly, discard: 'unmap' };
}

function blockdev(node: Readonly<Record<string, unknown>>): string[] {
  return ['-blockdev', JSON.stringify(node)];
}

function networkOptions(spec: VmSpec, descriptor: number | undefined): string[] {
  if (descriptor === undefined || spec.network === undefined) return [];
  return [
    ...['-netdev', `stream,id=net,server=off,addr.type=fd,addr.str=${descriptor}`],
    ...['-device', `virtio-net-device,netdev=net,mac=${spec.network.mac}`],
  ];
}

function shareOptions(descriptor: number | undefined): string[] {
  if (descriptor === undefined) return [];
  return ['-chardev', `socket,id=share,fd=${descriptor}`, '-device', 'vhost-user-fs-device,chardev=share,tag=share'];
}
