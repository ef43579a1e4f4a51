import { closeSync, openSync, statSync } from 'node:fs';
import { BoxError, DISK_SLOTS, type DiskImage, type DiskSlot, type VmSpec } from '@a3s-box/core';
import { createMemory } from '@a3s-box/native';
import { type DescriptorTable, padImage, relocateExtents } from '@a3s-box/vmm';

/** Size of the disk that a guest sees in an empty slot, bytes. Nothing of it is allocated; it reads as zeros. */
export const PLACEHOLDER_BYTES = 64 * 1024 ** 3;

export const AGENT_PORT = 'a3s.box.agent';

/** The network card's address in a template; a clone's guest gives it its own. */
const TEMPLATE_MAC = '02:00:00:00:00:00';
/** Writable in templates and clones, whatever stands in it. */
const WRITABLE_SLOT: DiskSlot = 'scratch';

/**
 * Whose sizes and access the disks have: the images', or those of templates and their clones, the same for all, since a
 * guest does not ask again. Version of the latter: {@link TEMPLATE_LAYOUT}.
 */
export type DiskLayout = 'images' | 'template';
/** Raised when anything changes that a template's guest has seen of its devices. */
export const TEMPLATE_LAYOUT = 1;

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
export function deviceOptions(
  spec: VmSpec,
  table: DescriptorTable,
  descriptors: DeviceDescriptors,
  layout: DiskLayout = 'images',
): string[] {
  const files = new InheritedFiles(spec.directory, table);
  const slot = (name: DiskSlot): string[] => slotOptions(name, spec.disks[name], files, layout);
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
export function slotStates(
  spec: VmSpec,
  layout: DiskLayout = 'images',
): Readonly<Partial<Record<DiskSlot, SlotState>>> {
  const given = DISK_SLOTS.flatMap((slot): [DiskSlot, SlotState][] => {
    const disk = spec.disks[slot];
    return disk === undefined ? [] : [[slot, { bytes: diskBytes(disk, layout), readOnly: disk.readOnly }]];
  });
  return Object.fromEntries(given);
}

/** A descriptor's own size says nothing; what replaces it is bounded as a placeholder is. */
function diskBytes(disk: DiskImage, layout: DiskLayout): number {
  return disk.format === 'raw' && layout === 'images' ? statSync(disk.path).size : PLACEHOLDER_BYTES;
}

function socketChardev(id: string, descriptor: number): string[] {
  return ['-chardev', `socket,id=${id},fd=${descriptor},server=on,wait=off`];
}

/** Makes an inherited descriptor known under `/dev/fdset/N`, with its own number as the set's. */
function inheritedFile(descriptor: number): string[] {
  return ['-add-fd', `fd=${descriptor},set=${descriptor}`];
}

/** Files of disks that the VMM inherits, with the options that make them known to it. */
class InheritedFiles {
  readonly options: string[] = [];
  #zeros: string | undefined;

  constructor(
    readonly directory: string,
    private readonly table: DescriptorTable,
  ) {}

  /** Opens a file for the VMM. @returns its path there */
  give(path: string, flags: string): string {
    const descriptor = this.table.open(path, flags);
    this.options.push(...inheritedFile(descriptor));
    return `/dev/fdset/${descriptor}`;
  }

  /** Path in the VMM of a file that is one hole, as large as a placeholder. */
  zeros(): string {
    if (this.#zeros !== undefined) return this.#zeros;
    const memory = createMemory('zeros', PLACEHOLDER_BYTES);
    try {
      const descriptor = this.table.add(openSync(`/proc/self/fd/${memory}`, 'r'));
      this.options.push(...inheritedFile(descriptor));
      this.#zeros = `/dev/fdset/${descriptor}`;
    } finally {
      closeSync(memory);
    }
    return this.#zeros;
  }
}

function slotOptions(slot: DiskSlot, disk: DiskImage | undefined, files: InheritedFiles, layout: DiskLayout): string[] {
  const nodes = disk === undefined ? placeholderNodes(slot, layout) : imageNodes(slot, disk, files, layout);
  const device = ['-device', `virtio-blk-device,drive=${slot},serial=${slot}`];
  return [...files.options.splice(0), ...nodes.flatMap(blockdev), ...device];
}

type BlockNode = Readonly<Record<string, unknown>>;

function placeholderNodes(slot: DiskSlot, layout: DiskLayout): BlockNode[] {
  const readOnly = !(layout === 'template' && slot === WRITABLE_SLOT);
  const file = {
    driver: 'null-co',
    'node-name': `${slot}-file`,
    size: PLACEHOLDER_BYTES,
    'read-zeroes': true,
    'read-only': readOnly,
  };
  return [file, formatNode(slot, 'raw', readOnly)];
}

function imageNodes(slot: DiskSlot, disk: DiskImage, files: InheritedFiles, layout: DiskLayout): BlockNode[] {
  if (disk.format === 'vmdk' && !disk.readOnly) {
    throw new BoxError('UNSUPPORTED', `disk ${slot} cannot be a writable vmdk`, {
      hint: 'give a raw image, or make it read-only',
    });
  }
  const { path, format } = backing(slot, disk, files, layout);
  const file = fileNode(`${slot}-file`, files.give(path, disk.readOnly ? 'r' : 'r+'), disk.readOnly);
  return [file, formatNode(slot, format, disk.readOnly)];
}

/** What the slot's file is: the image itself, or a descriptor that was written for the VMM. */
function backing(
  slot: DiskSlot,
  disk: DiskImage,
  files: InheritedFiles,
  layout: DiskLayout,
): Pick<DiskImage, 'path' | 'format'> {
  const options = {
    directory: files.directory,
    slot,
    give: (path: string, flags: string) => files.give(path, flags),
    zeros: () => files.zeros(),
    ...(layout === 'template' && { bytes: PLACEHOLDER_BYTES }),
  };
  if (disk.format === 'vmdk') return { path: relocateExtents(disk, options), format: 'vmdk' };
  if (layout === 'images' || !disk.readOnly) return disk;
  return { path: padImage(disk, options), format: 'vmdk' };
}

/** @throws UNSUPPORTED for disks that a template has no place for */
export function checkTemplateLayout({ disks }: VmSpec): void {
  for (const slot of DISK_SLOTS) {
    const disk = disks[slot];
    if (disk === undefined) continue;
    const fits = slot === WRITABLE_SLOT ? fitsWritable(disk) : disk.readOnly;
    if (!fits)
      throw new BoxError('UNSUPPORTED', `the image for disk ${slot} has another size or access than a clone's`);
  }
}

function fitsWritable({ path, format, readOnly }: DiskImage): boolean {
  return !readOnly && format === 'raw' && statSync(path).size === PLACEHOLDER_BYTES;
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

function blockdev(node: BlockNode): string[] {
  return ['-blockdev', JSON.stringify(node)];
}

function networkOptions({ shape, network }: VmSpec, descriptor: number | undefined): string[] {
  if (!shape.network) return [];
  // Without an end its card has the features that it has with one.
  if (descriptor === undefined) return ['-device', `virtio-net-device,mac=${TEMPLATE_MAC}`];
  return [
    ...['-netdev', `stream,id=net,server=off,addr.type=fd,addr.str=${descriptor}`],
    ...['-device', `virtio-net-device,netdev=net,mac=${network?.mac}`],
  ];
}

function shareOptions(descriptor: number | undefined): string[] {
  if (descriptor === undefined) return [];
  return ['-chardev', `socket,id=share,fd=${descriptor}`, '-device', 'vhost-user-fs-device,chardev=share,tag=share'];
}
