import { readdirSync, statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import {
  BoxError,
  DISK_SLOTS,
  type GuestArchitecture,
  type HypervisorCapability,
  type TemplateSpec,
  type VmLimits,
  type VmSpec,
} from '@a3s-box/core';

const ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const MIB = 1024 * 1024;
/** The longest name of a socket that is made in a VM's directory, with its slash. */
const SOCKET_NAME_BYTES = '/agent.sock'.length;
const SOCKET_PATH_BYTES = 107;

/** @throws INVALID_ARGUMENT for a spec that breaks the port's rules or the backend's limits */
export function checkSpec(spec: VmSpec, limits: VmLimits): void {
  checkPlace(spec, limits);
  checkDisks(spec);
  if (spec.shape.network !== (spec.network !== undefined)) {
    throw invalid(`vm ${spec.id}: a network attachment and a shape with a network card belong together`);
  }
  if (spec.network !== undefined && !MAC.test(spec.network.mac))
    throw invalid(`mac address "${spec.network.mac}" is malformed`);
  if (spec.shape.share !== (spec.shareSocket !== undefined)) {
    throw invalid(`vm ${spec.id}: a share socket and a shape with a share belong together`);
  }
}

/** @throws UNSUPPORTED for a spec that needs what is not among the capabilities */
export function checkCapabilities(spec: VmSpec, capabilities: ReadonlySet<HypervisorCapability>): void {
  const { shape, disks, shareSocket } = spec;
  const needs: readonly (readonly [HypervisorCapability, boolean])[] = [
    ['pause', spec.paused === true],
    ['network-card', shape.network || spec.network !== undefined],
    ['tsi', spec.tsi !== undefined],
    ['share', shape.share || shareSocket !== undefined],
    ['vmdk-disk', Object.values(disks).some(({ format }) => format === 'vmdk')],
    ['templates', spec.template !== undefined],
  ];
  const missing = needs.find(([capability, needed]) => needed && !capabilities.has(capability))?.[0];
  if (missing !== undefined)
    throw new BoxError('UNSUPPORTED', `this backend cannot do what vm ${spec.id} needs: ${missing}`);
}

/** As OCI names it; undefined for a processor that no guest has. */
const HOST_ARCHITECTURE = ({ x64: 'amd64', arm64: 'arm64' } as Readonly<Record<string, GuestArchitecture>>)[
  process.arch
];

/**
 * For a backend that runs guests of the host's own architecture.
 * @param host default: this one's @throws BACKEND_UNAVAILABLE for boot assets of another one
 */
export function checkArchitecture(
  backend: string,
  { id, boot }: Pick<TemplateSpec, 'id' | 'boot'>,
  host: GuestArchitecture | undefined = HOST_ARCHITECTURE,
): void {
  if (boot.architecture === host) return;
  throw new BoxError(
    'BACKEND_UNAVAILABLE',
    `${backend} cannot run vm ${id}: its guest is for ${boot.architecture}, and this host's processor is another one`,
    { hint: '`a3s-box info` lists the backends; qemu emulates other processors where its emulator is installed' },
  );
}

/** @throws INVALID_ARGUMENT as {@link checkSpec}, UNSUPPORTED for a share, whose state cannot be taken */
export function checkTemplateSpec(spec: TemplateSpec, limits: VmLimits): void {
  if (spec.shape.share) throw new BoxError('UNSUPPORTED', `template ${spec.id} cannot have a share`);
  checkPlace(spec, limits);
  checkDisks({ ...spec, disks: {} });
}

function checkPlace(spec: TemplateSpec | VmSpec, limits: VmLimits): void {
  if (!ID.test(spec.id))
    throw invalid(`vm id "${spec.id}" is not of the form [a-z0-9][a-z0-9-]*, at most 64 characters`);
  checkShape(spec, limits);
  checkDirectory(spec.directory);
}

function checkShape({ id, shape }: Pick<VmSpec, 'id' | 'shape'>, limits: VmLimits): void {
  const { vcpus, memoryBytes } = shape;
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > limits.maxVcpus) {
    throw invalid(`vm ${id} cannot have ${vcpus} vCPUs`, `give 1 to ${limits.maxVcpus}`);
  }
  const inRange = memoryBytes >= limits.minMemoryBytes && memoryBytes <= limits.maxMemoryBytes;
  if (!inRange || memoryBytes % MIB !== 0) {
    const range = `${limits.minMemoryBytes / MIB} to ${Math.floor(limits.maxMemoryBytes / MIB)}`;
    throw invalid(`vm ${id} cannot have ${memoryBytes} bytes of memory`, `give ${range} whole MiB`);
  }
}

function checkDirectory(directory: string): void {
  if (!isAbsolute(directory)) throw invalid(`vm directory ${directory} is not absolute`);
  if (Buffer.byteLength(directory) + SOCKET_NAME_BYTES > SOCKET_PATH_BYTES) {
    throw invalid(`vm directory ${directory} is too long for sockets in it`, 'choose a home with a shorter path');
  }
  if (list(directory).length > 0) throw invalid(`vm directory ${directory} is not empty`);
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    throw new BoxError('INVALID_ARGUMENT', `vm directory ${directory} cannot be read`, { cause });
  }
}

function checkDisks({ id, disks, boot }: Pick<VmSpec, 'id' | 'disks' | 'boot'>): void {
  const unknown = Object.keys(disks).find((slot) => !(DISK_SLOTS as readonly string[]).includes(slot));
  if (unknown !== undefined)
    throw invalid(`vm ${id} has no disk slot ${unknown}`, `slots are ${DISK_SLOTS.join(', ')}`);
  const paths = Object.values(disks).flatMap((disk) => [disk.path, ...(disk.extents ?? [])]);
  for (const path of [boot.kernel, boot.initramfs, ...paths]) {
    if (!isAbsolute(path)) throw invalid(`file ${path} of vm ${id} is not absolute`);
    if (statSync(path, { throwIfNoEntry: false }) === undefined) throw invalid(`file ${path} of vm ${id} is not there`);
  }
}

function invalid(message: string, hint?: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
}
