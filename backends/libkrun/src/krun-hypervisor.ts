import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BoxError,
  DISK_SLOTS,
  type Hypervisor,
  type HypervisorCapability,
  type HypervisorProbe,
  type Logger,
  type Operation,
  type Template,
  type TemplateSpec,
  type Vm,
  type VmRecord,
  type VmSpec,
} from '@a3s-box/core';
import {
  AdoptedVmm,
  checkArchitecture,
  checkCapabilities,
  checkSpec,
  orCancelled,
  throwIfCancelled,
} from '@a3s-box/vmm';
import { inheritingHost } from './inheriting-host.js';
import type { KrunHost, KrunMachine } from './krun-host.js';
import { launch } from './krun-launch.js';
import { KrunVm } from './krun-vm.js';

/** Version of {@link VmRecord.details} and of the files in a VM's directory. */
export const RECORD_VERSION = 1;

export const KRUN_CAPABILITIES: ReadonlySet<HypervisorCapability> = new Set([
  'pause',
  'network-card',
  'tsi',
  'vmdk-disk',
]);

/** Files that disks leave in a VM's directory. */
const DISK_FILES = DISK_SLOTS.map((slot) => `${slot}.vmdk`);

/** How a system's libkrun is found, and whether it works. */
export interface KrunProbe {
  /** @throws CANCELLED when the signal fires */
  probe(operation: Operation): Promise<KrunProbeResult>;
}

export interface KrunProbeResult {
  readonly answer: HypervisorProbe;
  /** Present when the answer is usable. */
  readonly machine?: KrunMachine;
}

/** The Hypervisor port on libkrun, for any system that it runs on. */
export class KrunHypervisor implements Hypervisor {
  readonly #host: KrunHost;

  /** @param name of the backend, for example `libkrun-kvm` @param host default: Linux */
  constructor(
    readonly name: string,
    private readonly system: KrunProbe,
    private readonly logger: Logger,
    host: KrunHost = inheritingHost,
  ) {
    this.#host = host;
  }

  async probe(operation: Operation): Promise<HypervisorProbe> {
    return (await this.system.probe(operation)).answer;
  }

  async create(spec: VmSpec, { signal }: Operation): Promise<Vm> {
    throwIfCancelled(signal, `start of vm ${spec.id}`);
    const { answer, machine } = await this.system.probe({ signal });
    if (!machine) {
      throw new BoxError('BACKEND_UNAVAILABLE', `${this.name} cannot run a VM here: ${answer.reason}`);
    }
    checkArchitecture(this.name, spec);
    checkSpec(spec, answer.limits);
    checkCapabilities(spec, answer.capabilities);
    const vm = await startVm({ backend: this.name, spec, machine, host: this.#host }, signal);
    this.logger.debug({ vm: spec.id, pid: vm.vmm.pid }, 'started a virtual machine');
    return vm;
  }

  adopt(record: VmRecord, { signal }: Operation): Promise<Vm> {
    return new Promise((resolve) => resolve(this.#adopt(record, signal)));
  }

  #adopt(record: VmRecord, signal: AbortSignal): Vm {
    if (record.backend !== this.name || record.version !== RECORD_VERSION) {
      throw new BoxError(
        'INVALID_ARGUMENT',
        `vm ${record.id} was made by ${record.backend} version ${record.version}`,
        { hint: `this is ${this.name} version ${RECORD_VERSION}` },
      );
    }
    throwIfCancelled(signal, `adoption of vm ${record.id}`);
    using undo = new DisposableStack();
    const vmm = new AdoptedVmm(record.vmm);
    undo.defer(() => vmm.release());
    const held = this.#host.resume(record.directory);
    undo.move();
    return new KrunVm({ ...held, record, host: this.#host, vmm, isChild: false });
  }

  makeTemplate({ id }: TemplateSpec, { signal }: Operation): Promise<Template> {
    const refusal = new BoxError(
      'UNSUPPORTED',
      `${this.name} makes no templates: libkrun cannot take a machine's state`,
    );
    return orCancelled(Promise.reject(refusal), signal, `making of template ${id}`);
  }
}

export interface VmStart {
  /** The name for its record. */
  readonly backend: string;
  /** As {@link checkSpec} lets it pass. */
  readonly spec: VmSpec;
  readonly machine: KrunMachine;
  /** Default: Linux. */
  readonly host?: KrunHost;
}

/**
 * Starts a machine. Failed or cancelled: neither process nor file is left.
 * @throws VM_START_FAILED, CONFINEMENT_FAILED, INVALID_ARGUMENT, UNSUPPORTED, CANCELLED
 */
export async function startVm(start: VmStart, signal: AbortSignal): Promise<Vm> {
  const { backend, spec, machine, host = inheritingHost } = start;
  const { id, directory } = spec;
  const undo = new AsyncDisposableStack();
  undo.defer(() => removeFiles(directory, host));
  try {
    const parts = await launch({ spec, machine, host }, signal, undo);
    throwIfCancelled(signal, `start of vm ${id}`);
    undo.move();
    const record = { backend, version: RECORD_VERSION, id, vmm: parts.vmm.identity, directory, details: {} };
    return new KrunVm({ ...parts, record, host, isChild: true });
  } catch (error) {
    await undo.disposeAsync();
    throw error;
  }
}

async function removeFiles(directory: string, { files }: KrunHost): Promise<void> {
  await Promise.all([...files, ...DISK_FILES].map((name) => rm(join(directory, name), { force: true })));
}
