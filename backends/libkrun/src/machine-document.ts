import type { VmSpec } from '@a3s-box/core';
import type { KrunDocument } from '@a3s-box/native';
import { diskEntries } from './disks.js';
import type { Handout } from './handout.js';

const MIB = 1024 * 1024;
/** Vsock port on which the guest's agent listens, and the host's that it knocks at then (guest-init/proto/README.md). */
const AGENT_PORT = 1024;
const ANNOUNCE_PORT = 1025;
/** libkrun's own word for why no machine could be built goes to its log, at this level. */
const LOG_LEVEL = 'error';
/** Without a policy SELinux allows everything, and asks itself at every step of a path whether it does. */
const COMMAND_LINE = 'console=hvc0 panic=-1 reboot=t quiet lsm=capability';

/** What the document names, as the VMM sees it. */
export interface MachineFiles {
  readonly library: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly console: string;
  readonly agent: string;
  readonly announcement: string;
  /** Transport of the network card, when the shape has one. */
  readonly network?: NonNullable<KrunDocument['network']>['socket'];
}

/** What a machine is put together from, beside what its spec says. */
export interface MachineParts {
  readonly files: MachineFiles;
  readonly handout: Handout;
  readonly kernelFormat: KrunDocument['kernel']['format'];
  /** Whether the guest may run virtual machines of its own. */
  readonly nested: boolean;
}

/** The document that the launcher reads (native/launcher/krun/document.schema.json). */
export function machineDocument(spec: VmSpec, { files, handout, kernelFormat, nested }: MachineParts): KrunDocument {
  const { vcpus, memoryBytes } = spec.shape;
  return {
    version: 1,
    library: files.library,
    logLevel: LOG_LEVEL,
    machine: { vcpus, memoryMiB: memoryBytes / MIB, nested },
    kernel: { path: files.kernel, format: kernelFormat, initramfs: files.initramfs, commandLine: COMMAND_LINE },
    disks: diskEntries(spec, handout),
    vsock: {
      tsi: spec.tsi === undefined ? null : { ports: spec.tsi.ports.map(tsiPort) },
      ports: [
        { port: AGENT_PORT, path: files.agent, listen: true },
        { port: ANNOUNCE_PORT, path: files.announcement, listen: false },
      ],
    },
    network: networkOf(spec, files),
    shares: [],
    console: files.console,
    descriptors: [...handout.unnamed],
  };
}

function tsiPort({ hostPort, guestPort }: NonNullable<VmSpec['tsi']>['ports'][number]): {
  host: number;
  guest: number;
} {
  return { host: hostPort, guest: guestPort };
}

function networkOf({ network }: VmSpec, { network: socket }: MachineFiles): KrunDocument['network'] {
  return network === undefined || socket === undefined ? null : { socket, mac: network.mac };
}
