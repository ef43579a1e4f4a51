import {
  BoxError,
  type Hypervisor,
  type GuestArchitecture,
  type HypervisorCapability,
  type HypervisorProbe,
  type Logger,
  type Operation,
  type Template,
  type TemplateSpec,
  type Vm,
  type VmLimits,
  type VmRecord,
  type VmSpec,
} from '@a3s-box/core';
import {
  AdoptedVmm,
  checkCapabilities,
  checkSpec,
  checkTemplateSpec,
  ConsoleLog,
  orCancelled,
  throwIfCancelled,
} from '@a3s-box/vmm';
import type { AccelerationProbe } from './acceleration-probe.js';
import { QemuVm, type QemuVmParts } from './qemu-vm.js';
import { makeTemplate } from './template-making.js';
import { checkTemplate } from './template-record.js';
import { agentEndpoint, connectQmp, RECORD_VERSION, startVm, type Machine } from './vm-start.js';

interface UsableMachine {
  readonly machine: Machine;
  readonly limits: VmLimits;
  readonly capabilities: ReadonlySet<HypervisorCapability>;
}

/** The Hypervisor port on QEMU's microvm machine; guests with another processor than the host's are on its virt machine. */
export class QemuHypervisor implements Hypervisor {
  readonly name = 'qemu';

  constructor(
    private readonly acceleration: AccelerationProbe,
    private readonly logger: Logger,
  ) {}

  async probe(operation: Operation): Promise<HypervisorProbe> {
    return (await this.acceleration.probe(operation)).answer;
  }

  async create(spec: VmSpec, { signal }: Operation): Promise<Vm> {
    throwIfCancelled(signal, `start of vm ${spec.id}`);
    const { machine, limits, capabilities } = await this.#machine(spec.boot.architecture, { signal });
    checkSpec(spec, limits);
    checkCapabilities(spec, capabilities);
    if (spec.template) checkTemplate(spec, spec.template, machine);
    const vm = await startVm(spec, machine, signal);
    this.logger.debug(
      { vm: spec.id, pid: vm.vmm.pid, clone: spec.template !== undefined },
      'started a virtual machine',
    );
    return vm;
  }

  async makeTemplate(spec: TemplateSpec, { signal }: Operation): Promise<Template> {
    throwIfCancelled(signal, `making of template ${spec.id}`);
    const { machine, limits, capabilities } = await this.#machine(spec.boot.architecture, { signal });
    if (!capabilities.has('templates')) throw noTemplates(spec);
    checkTemplateSpec(spec, limits);
    return makeTemplate(spec, machine, signal);
  }

  async #machine(architecture: GuestArchitecture, operation: Operation): Promise<UsableMachine> {
    const { answer, machine, foreign } = await this.acceleration.probe(operation);
    const other = answer.foreign?.[architecture];
    const { limits, capabilities, reason } = other ?? answer;
    const found = other ? foreign : machine;
    if (found) return { machine: found, limits, capabilities };
    throw new BoxError('BACKEND_UNAVAILABLE', `qemu cannot run a VM for ${architecture} here: ${reason}`);
  }

  async adopt(record: VmRecord, { signal }: Operation): Promise<Vm> {
    if (record.backend !== this.name || record.version !== RECORD_VERSION) {
      throw new BoxError(
        'INVALID_ARGUMENT',
        `vm ${record.id} was made by ${record.backend} version ${record.version}`,
        {
          hint: `this is ${this.name} version ${RECORD_VERSION}`,
        },
      );
    }
    const subject = `adoption of vm ${record.id}`;
    throwIfCancelled(signal, subject);
    const undo = new AsyncDisposableStack();
    try {
      const vmm = new AdoptedVmm(record.vmm);
      undo.defer(() => vmm.release());
      const { qmp, shutdown, space } = connectQmp(record.directory, record.id);
      undo.defer(() => qmp.close());
      await orCancelled(qmp.open(), signal, subject);
      // What it stopped for may have been told to the process before this one.
      const { status } = (await qmp.execute('query-status')) as { readonly status: string };
      if (status === 'io-error') space.raise();
      const console = ConsoleLog.resume(record.directory);
      undo.move();
      const slots = record.details['slots'] as QemuVmParts['slots'];
      return new QemuVm({
        record,
        agent: agentEndpoint(record.directory),
        vmm,
        qmp,
        console,
        slots,
        shutdown,
        space,
        missedHangUp: status !== 'running',
      });
    } catch (error) {
      await undo.disposeAsync();
      throw error;
    }
  }
}

function noTemplates({ id, boot }: TemplateSpec): BoxError {
  return new BoxError('UNSUPPORTED', `template ${id} cannot be made: ${boot.architecture} guests are booted here`);
}
