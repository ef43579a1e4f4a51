import { closeSync } from 'node:fs';
import type { Template, TemplateSpec, VmSpec } from '@a3s-box/core';
import { createMemory, sealMemory } from '@a3s-box/native';
import { orCancelled, throwIfCancelled } from '@a3s-box/vmm';
import { saveState } from './migration.js';
import { templateRecord } from './template-record.js';
import { agentEndpoint, launch, type Machine } from './vm-start.js';

/**
 * Boots a guest whose memory is a file in memory, stops it when it is ready, and takes file and devices' state.
 *
 * The VMM never gets a file that lasts: both files are this process's, and are sealed once the VMM is gone.
 */
export async function makeTemplate(spec: TemplateSpec, machine: Machine, signal: AbortSignal): Promise<Template> {
  using files = new DisposableStack();
  const create = (name: string, bytes: number): number =>
    files.adopt(createMemory(`template-${name}`, bytes), (descriptor) => closeSync(descriptor));
  const memory = create('memory', spec.shape.memoryBytes);
  const state = create('state', 0);
  await fill(spec, machine, { memory, state }, signal);
  throwIfCancelled(signal, subjectOf(spec));
  for (const file of [memory, state]) sealMemory(file);
  files.move();
  return { record: templateRecord(spec.shape, machine), memory, state };
}

/** On return the VMM is gone, in any case. */
async function fill(
  spec: TemplateSpec,
  machine: Machine,
  { memory, state }: Pick<Template, 'memory' | 'state'>,
  signal: AbortSignal,
): Promise<void> {
  const { prepare, ...rest } = spec;
  const vmSpec: VmSpec = { ...rest, disks: {} };
  await using undo = new AsyncDisposableStack();
  const { qmp, vmm, console, migration, shutdown } = await launch({ spec: vmSpec, machine, memory }, signal, undo);
  const exited = vmm.gone.then(() => vmm.exit(shutdown()));
  const ready = prepare({ agent: agentEndpoint(spec.directory), exited });
  await orCancelled(ready, signal, subjectOf(spec));
  await orCancelled(qmp.execute('stop'), signal, subjectOf(spec));
  await orCancelled(saveState(qmp, migration, state), signal, subjectOf(spec));
  vmm.kill();
  await vmm.gone;
  await Promise.all([qmp.closed, console.ended]);
}

function subjectOf({ id }: TemplateSpec): string {
  return `making of template ${id}`;
}
