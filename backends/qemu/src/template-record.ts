import { createHash } from 'node:crypto';
import { cpus, release } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { BoxError, type Template, type TemplateRecord, type VmShape, type VmSpec } from '@a3s-box/core';
import { checkTemplateLayout, TEMPLATE_LAYOUT } from './device-options.js';
import { machineOptions, type Accelerator } from './machine-options.js';
import type { Machine } from './vm-start.js';

/** Version of {@link TemplateRecord.details}. */
const TEMPLATE_VERSION = 1;
/** Two measurements of the same counter differ by a few millionths; another machine's by more. */
const TSC_TOLERANCE = 1e-4;

/** Changes with everything of this backend's that a guest in a template has seen, but for its shape. */
export function templateFingerprint({ binary, accelerator }: Omit<Machine, 'fingerprint'>, version: string): string {
  const shape = { vcpus: 1, memoryBytes: 0, network: true, share: false };
  const neutral: Accelerator = accelerator.kind === 'tcg' ? { ...accelerator, tscKhz: 0 } : accelerator;
  const options = machineOptions({
    name: '',
    shape,
    accelerator: neutral,
    boot: { kernel: '', initramfs: '' },
    memory: { path: '', access: 'shared' },
  });
  // With KVM the guest sees the CPU, by way of the host's kernel.
  const host = accelerator.kind === 'kvm' ? [cpus()[0]?.model, release()] : [];
  const all = [TEMPLATE_VERSION, TEMPLATE_LAYOUT, version, binary.identity, options, host];
  return createHash('sha256').update(JSON.stringify(all)).digest('hex');
}

export function templateRecord(shape: VmShape, { accelerator, fingerprint }: Machine): TemplateRecord {
  const { vcpus, memoryBytes, network, share } = shape;
  return {
    backend: 'qemu',
    version: TEMPLATE_VERSION,
    fingerprint,
    shape: { vcpus, memoryBytes, network, share },
    details: accelerator.kind === 'tcg' ? { tscKhz: accelerator.tscKhz } : {},
  };
}

/** @throws TEMPLATE_UNUSABLE for a template that a VM of this spec cannot be a clone of here */
export function checkTemplate(spec: VmSpec, { record }: Template, machine: Machine): void {
  const mine = templateRecord(spec.shape, machine);
  if (record.backend !== mine.backend || record.version !== mine.version) {
    throw unusable(`it was made by ${record.backend} version ${record.version}`);
  }
  if (record.fingerprint !== mine.fingerprint) throw unusable('it was made by another QEMU, or for another machine');
  if (!isDeepStrictEqual(record.shape, mine.shape)) throw unusable('it has another shape');
  const [theirs, ours] = [record, mine].map(({ details }) => Number(details['tscKhz'] ?? 0)) as [number, number];
  if (!(Math.abs(theirs - ours) <= ours * TSC_TOLERANCE)) {
    throw unusable(`its clock counts ${theirs} kHz, that of this machine ${ours}`);
  }
  checkTemplateLayout(spec);
}

function unusable(reason: string): BoxError {
  return new BoxError('TEMPLATE_UNUSABLE', `the template cannot be used: ${reason}`);
}
