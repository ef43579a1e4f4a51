import { statSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { join } from 'node:path';
import { BoxError, type AgentEndpoint, type VmSpec } from '@a3s-box/core';
import { connectUnix, krunLauncherPath, listenUnix } from '@a3s-box/native';
import {
  ChildVmm,
  ConsoleLog,
  DescriptorTable,
  executableLoaders,
  launchConfined,
  orCancelled,
  readableLibraries,
} from '@a3s-box/vmm';
import { Announcement } from './announcement.js';
import { writableDisks } from './disks.js';
import { Handout } from './handout.js';
import { readOutcome, startError } from './launcher-status.js';
import { machineDocument, type MachineParts } from './machine-document.js';

/** What differs between the systems on which libkrun runs. */
export interface KrunMachine {
  /** Absolute path of libkrun. */
  readonly library: string;
  /** Device nodes that libkrun opens by name. */
  readonly devices: readonly string[];
  /** Supplementary groups that they ask for; only as root. */
  readonly groups: readonly number[];
  /** Whether guests may run virtual machines of their own. */
  readonly nested: boolean;
}

/** libkrun's own threads, beside one for each vCPU. */
const VMM_THREADS = 64;
/** Event descriptors and the like of libkrun itself. */
const OPEN_FILES = 256;
/** With impersonated sockets each of the guest's is one of the VMM's. */
const TSI_OPEN_FILES = 65_536;

export interface Launched {
  readonly vmm: ChildVmm;
  readonly console: ConsoleLog;
  readonly announcement: Announcement;
}

/** Where the guest's agent is reached. */
export function agentEndpoint(directory: string, { made }: Announcement): AgentEndpoint {
  return { socket: join(directory, 'agent.sock'), listening: made };
}

/**
 * Starts the launcher, and returns when the machine runs; with `paused` it waits, stopped, until it is
 * let go on.
 *
 * @param undo ends what was started
 * @throws VM_START_FAILED, CONFINEMENT_FAILED, INVALID_ARGUMENT, UNSUPPORTED, CANCELLED
 */
export async function launch(
  spec: VmSpec,
  machine: KrunMachine,
  signal: AbortSignal,
  undo: AsyncDisposableStack,
): Promise<Launched> {
  const program = krunLauncherPath();
  if (program === undefined) {
    throw new BoxError('VM_START_FAILED', 'the launcher a3s-box-krun is not built', {
      hint: 'run npm run build in native/',
    });
  }
  using table = new DescriptorTable();
  const document = table.pipe();
  const status = table.pipe();
  const handout = new Handout(table);
  const { files, libraryDescriptor, ...held } = openFiles(spec, machine, handout, undo);
  const text = JSON.stringify(machineDocument(spec, { ...files, nested: machine.nested }, handout));
  const launcher = table.open(program, 'r');
  const child = await launchConfined(handout.name(launcher), [String(document), String(status)], {
    ...rightsOf(spec, machine),
    execute: [handout.name(launcher), ...executableLoaders()],
    // The dynamic loader opens it for itself.
    readDescriptors: [libraryDescriptor],
    table,
    onLaunch: spec.onLaunch ?? (() => undefined),
  });
  const vmm = new ChildVmm(child);
  undo.defer(async () => {
    vmm.kill();
    await vmm.gone;
  });
  // Before it has read what it is to become, so that no CPU of it has run.
  if (spec.paused === true) vmm.signal('SIGSTOP');
  const outcome = readOutcome(child.stdio[status] as Readable);
  give(child.stdio[document] as Writable, text);
  if (spec.paused === true) outcome.catch(() => undefined);
  else await orCancelled(running(outcome, vmm, spec.id), signal, `start of vm ${spec.id}`);
  return { vmm, ...held };
}

function openFiles(
  spec: VmSpec,
  { library }: KrunMachine,
  handout: Handout,
  undo: AsyncDisposableStack,
): Omit<Launched, 'vmm'> & { readonly files: Omit<MachineParts, 'nested'>; readonly libraryDescriptor: number } {
  const { table } = handout;
  const { directory, boot, network } = spec;
  const { log: console, writer, reader } = ConsoleLog.create(directory, table);
  undo.defer(() => console.close());
  // Held open for as long as the VMM runs, so that the pipe keeps bytes while no host is there.
  handout.unnamed.push(reader);
  const { announcement, writer: announcementWriter } = Announcement.create(directory, handout);
  undo.defer(() => announcement.close());
  const libraryDescriptor = table.open(library, 'r');
  const files: Omit<MachineParts, 'nested'> = {
    library: handout.name(libraryDescriptor),
    kernel: handout.open(boot.kernel, 'r'),
    initramfs: handout.open(boot.initramfs, 'r'),
    console: handout.name(writer),
    agent: handout.name(table.add(listenUnix(join(directory, 'agent.sock')))),
    announcement: announcementWriter,
    ...(network && { network: table.add(connectUnix(network.socket)) }),
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

/** A launcher that has ended reads no more; its status tells why. */
function give(document: Writable, text: string): void {
  document.on('error', () => undefined);
  document.end(text, () => document.destroy());
}

async function running(outcome: ReturnType<typeof readOutcome>, vmm: ChildVmm, id: string): Promise<void> {
  const result = await outcome;
  if (result.kind === 'running') return;
  await vmm.gone;
  throw startError(id, result.status, vmm.stderr);
}
