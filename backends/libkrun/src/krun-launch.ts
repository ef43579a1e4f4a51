import type { Readable, Writable } from 'node:stream';
import type { VmSpec } from '@a3s-box/core';
import { ChildVmm, orCancelled } from '@a3s-box/vmm';
import type { Holdings, KrunHost, KrunMachine, StartedLauncher } from './krun-host.js';
import { readOutcome, startError, type LauncherOutcome } from './launcher-status.js';
import { machineDocument } from './machine-document.js';

/** Where no launcher tells that the machine runs, and neither a knock nor an end does for so long, it counts as running. */
const START_LIMIT_MS = 10_000;

export interface Launched extends Holdings {
  readonly vmm: ChildVmm;
}

export interface Launch {
  readonly spec: VmSpec;
  readonly machine: KrunMachine;
  readonly host: KrunHost;
}

/**
 * Starts the launcher, and returns when the machine runs; with `paused` it waits, stopped, until it is
 * let go on.
 *
 * @param undo ends what was started
 * @throws VM_START_FAILED, CONFINEMENT_FAILED, INVALID_ARGUMENT, UNSUPPORTED, CANCELLED
 */
export async function launch(
  { spec, machine, host }: Launch,
  signal: AbortSignal,
  undo: AsyncDisposableStack,
): Promise<Launched> {
  const outfit = await host.equip(spec, machine, undo);
  const { console, announcement, files, handout } = outfit;
  const text = JSON.stringify(
    machineDocument(spec, { files, handout, kernelFormat: host.kernelFormat, nested: machine.nested }),
  );
  const launcher = await outfit.start();
  const vmm = new ChildVmm(launcher.child);
  undo.defer(async () => {
    vmm.kill();
    await vmm.gone;
  });
  // Before it has read what it is to become, so that no CPU of it has run.
  if (spec.paused === true) vmm.signal('SIGSTOP');
  const outcome = outcomeOf(launcher, { vmm, console, announcement }, host);
  give(launcher.document, text);
  if (spec.paused === true) outcome.catch(() => undefined);
  else await orCancelled(running(outcome, vmm, spec.id), signal, `start of vm ${spec.id}`);
  return { vmm, console, announcement };
}

/** A launcher that has ended reads no more; its status tells why. */
function give(document: Writable, text: string): void {
  document.on('error', () => undefined);
  document.end(text, () => document.destroy());
}

/** What became of the start, as soon as that is known. */
async function outcomeOf(
  { status }: StartedLauncher,
  { vmm, announcement }: Launched,
  { tellsRunning }: KrunHost,
): Promise<LauncherOutcome> {
  if (tellsRunning) return readOutcome(status, 'running');
  const late = Promise.withResolvers<void>();
  const limit = setTimeout(late.resolve, START_LIMIT_MS);
  try {
    const alive = Promise.race([announcement.made, late.promise]).then((): LauncherOutcome => ({ kind: 'running' }));
    return await Promise.race([endOf(vmm, status), alive]);
  } finally {
    clearTimeout(limit);
    status.destroy();
  }
}

/** The launcher's report lasts as long as the machine. A guest without an agent says nothing: it has run if it ended well. */
async function endOf(vmm: ChildVmm, status: Readable): Promise<LauncherOutcome> {
  const outcome = await readOutcome(status.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>);
  if (outcome.kind === 'failed' && outcome.status !== undefined) return outcome;
  await vmm.gone;
  return vmm.endedWell ? { kind: 'running' } : outcome;
}

async function running(outcome: Promise<LauncherOutcome>, vmm: ChildVmm, id: string): Promise<void> {
  const result = await outcome;
  if (result.kind === 'running') return;
  await vmm.gone;
  throw startError(id, result.status, vmm.stderr);
}
