import { statSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { join } from 'node:path';
import type { VmSpec } from '@a3s-box/core';
import { connectUnix, listenUnix } from '@a3s-box/native';
import { ConsoleLog, DescriptorTable, executableLoaders, launchConfined, readableLibraries } from '@a3s-box/vmm';
import { PipeAnnouncement } from './announcement.js';
import { writableDisks } from './disks.js';
import { InheritedHandout } from './handout.js';
import type { Holdings, KrunHost, KrunMachine, Outfit, StartedLauncher } from './krun-host.js';
import { requireLauncher } from './launcher-program.js';
import type { MachineFiles } from './machine-document.js';

/** libkrun's own threads, beside one for each vCPU. */
const VMM_THREADS = 64;
/** Event descriptors and the like of libkrun itself. */
const OPEN_FILES = 256;
/** With impersonated sockets each of the guest's is one of the VMM's. */
const TSI_OPEN_FILES = 65_536;

/** Linux: the VMM runs confined, inherits what it works with, and opens nothing by name. */
export const inheritingHost: KrunHost = {
  kernelFormat: 'elf',
  files: ['agent.sock', 'listening', 'console', 'console.log'],
  tellsRunning: true,
  stopsProcesses: true,
  agentAddress: (directory) => join(directory, 'agent.sock'),
  equip: (spec, machine, undo) => Promise.resolve(equip(spec, machine, undo)),
  resume: (directory) => resume(directory),
};

function equip(spec: VmSpec, machine: KrunMachine, undo: AsyncDisposableStack): Outfit {
  const program = requireLauncher();
  const table = undo.use(new DescriptorTable());
  const document = table.pipe();
  const status = table.pipe();
  const handout = new InheritedHandout(table);
  const { files, libraryDescriptor, ...held } = openFiles(spec, machine, handout, undo);
  const launcher = handout.name(table.open(program, 'r'));
  const start = async (): Promise<StartedLauncher> => {
    const child = await launchConfined(launcher, [String(document), String(status)], {
      ...rightsOf(spec, machine),
      execute: [launcher, ...executableLoaders()],
      // The dynamic loader opens it for itself.
      readDescriptors: [libraryDescriptor],
      table,
      onLaunch: spec.onLaunch ?? (() => undefined),
    });
    table[Symbol.dispose]();
    return { child, document: child.stdio[document] as Writable, status: child.stdio[status] as Readable };
  };
  return { ...held, files, handout, start };
}

function resume(directory: string): Holdings {
  using undo = new DisposableStack();
  const console = ConsoleLog.resume(directory);
  undo.defer(() => console.close());
  const announcement = PipeAnnouncement.resume(directory);
  undo.move();
  return { console, announcement };
}

function openFiles(
  spec: VmSpec,
  { library }: KrunMachine,
  handout: InheritedHandout,
  undo: AsyncDisposableStack,
): Holdings & { readonly files: MachineFiles; readonly libraryDescriptor: number } {
  const { table } = handout;
  const { directory, boot, network } = spec;
  const { log: console, writer, reader } = ConsoleLog.create(directory, table);
  undo.defer(() => console.close());
  // Held open for as long as the VMM runs, so that the pipe keeps bytes while no host is there.
  handout.unnamed.push(reader);
  const { announcement, writer: announcementWriter } = PipeAnnouncement.create(directory, handout);
  undo.defer(() => announcement.close());
  const libraryDescriptor = table.open(library, 'r');
  const files: MachineFiles = {
    library: handout.name(libraryDescriptor),
    kernel: handout.open(boot.kernel, 'r'),
    initramfs: handout.open(boot.initramfs, 'r'),
    console: handout.name(writer),
    agent: handout.name(table.add(listenUnix(join(directory, 'agent.sock')))),
    announcement: announcementWriter,
    ...(network && { network: { descriptor: table.add(connectUnix(network.socket)) } }),
  };
  return { console, announcement, files, libraryDescriptor };
}

function rightsOf(spec: VmSpec, { devices, groups }: KrunMachine) {
  const hasTsi = spec.tsi !== undefined;
  return {
    read: readableLibraries(),
    devices,
    groups,
    sockets: hasTsi ? 'any' : 'inherited',
    openFiles: hasTsi ? TSI_OPEN_FILES : OPEN_FILES,
    fileBytes: Math.max(0, ...writableDisks(spec).map((path) => statSync(path).size)),
    threads: spec.shape.vcpus + VMM_THREADS,
    smallPages: false,
  } as const;
}
