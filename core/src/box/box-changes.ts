import { BoxError } from '../errors/box-error.js';
import { ContainerService, UpdateContainerRequest } from '../gen/a3s/box/agent/v1/agent.js';
import { injectable } from '../kernel/container.js';
import type { Operation } from '../ports/operation.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import { checkSizing } from '../vm/check-sizing.js';
import { architectureOf } from '../vm/guest-architecture.js';
import type { Box } from './box.js';
import { BoxRecords } from './box-records.js';
import { checkBoxSpec, sizingOf, type BoxSpec, type RestartPolicy, type Sizing } from './box-spec.js';
import { changedResources, CPU_PERIOD_US, cpusOfQuota, type ContainerLimits } from './container-limits.js';
import { CONTAINER_ID } from './container-start.js';
import { runningVm } from './guest-signals.js';

const MIB = 1024 * 1024;

/** What is to change of a box; absent: it stays. */
export interface BoxUpdate {
  readonly memoryBytes?: number;
  readonly nanoCpus?: number;
  readonly limits?: ContainerLimits;
  /** `none` takes it away. */
  readonly restart?: RestartPolicy | 'none';
}

/** Changes boxes that there are. */
@injectable()
export class BoxChanges {
  constructor(
    private readonly records: BoxRecords,
    private readonly backends: BackendChooser,
  ) {}

  /** @throws INVALID_ARGUMENT for a name that cannot be, ALREADY_EXISTS */
  rename(box: Box, name: string): Promise<void> {
    return box.turns.take(async () => {
      checkBoxSpec({ ...box.spec, name });
      if (name === box.name) {
        throw new BoxError('INVALID_ARGUMENT', `box "${name}" has that name already`, { hint: 'give another one' });
      }
      this.records.amend(box, { name, spec: { ...box.spec, name } });
    });
  }

  /**
   * Changes limits and restart policy. Those of a box that runs hold at once, and cannot go beyond its VM.
   * @throws INVALID_ARGUMENT, CONFLICT for limits of a box that is paused or on its way to another state
   */
  update(box: Box, update: BoxUpdate, operation: Operation): Promise<void> {
    return box.turns.take(async () => {
      const { restart, limits, ...sizes } = update;
      const { restart: before, ...rest } = box.spec;
      const options = limits && { ...rest.options, ...limits };
      const kept = restart ?? before;
      if (box.spec.autoRemove && restart !== undefined && restart !== 'none') {
        throw new BoxError('CONFLICT', `box "${box.name}" is removed at its end: it cannot have a restart policy`);
      }
      const spec: BoxSpec = {
        ...rest,
        ...sizes,
        ...(options && { options }),
        ...(kept && kept !== 'none' && { restart: kept }),
      };
      checkBoxSpec(spec);
      const limited = [sizes.memoryBytes, sizes.nanoCpus, limits].some((change) => change !== undefined);
      const resources = limited && box.live ? resourcesFor(box, update) : undefined;
      if (limited) await this.#checkSizing(spec, operation);
      if (resources) await updateGuest(box, resources, operation);
      this.records.amend(box, { spec });
    });
  }

  /** A box has to be able to start again. @throws INVALID_ARGUMENT, BACKEND_UNAVAILABLE */
  async #checkSizing(spec: BoxSpec, { signal }: Operation): Promise<void> {
    const architecture = architectureOf(spec.platform);
    const { probe } = await this.backends.choose(spec.backend, { signal, architecture });
    checkSizing(sizingOf(spec), probe.limits);
  }
}

/** Applies limits to a workload that runs, up to what its machine was given when it started. */
async function updateGuest(box: Box, resources: object, { signal }: Operation): Promise<void> {
  const { session } = runningVm(box);
  const request = UpdateContainerRequest.create({
    containerId: CONTAINER_ID,
    resources: Buffer.from(JSON.stringify(resources)),
  });
  await session.call(ContainerService.update, request, signal);
}

/** @throws CONFLICT for what is more than the machine has */
function resourcesFor(box: Box, { memoryBytes, nanoCpus, limits = {} }: BoxUpdate): Record<string, unknown> {
  const machine = machineOf(box);
  const options = { ...box.spec.options, ...limits };
  if ((memoryBytes ?? 0) > machine.memoryBytes) throw tooLarge(box, `${machine.memoryBytes / MIB} MiB of memory`);
  const most = machine.vcpus * 1e9;
  if ((nanoCpus ?? 0) > most || (cpusOfQuota(options) ?? 0) > machine.vcpus)
    throw tooLarge(box, `${machine.vcpus} CPUs`);
  const { cpu, memory, ...others } = changedResources(limits, options);
  return {
    ...others,
    memory: {
      ...(memory as object | undefined),
      ...(memoryBytes !== undefined && { limit: memoryBytes === machine.memoryBytes ? -1 : memoryBytes }),
    },
    cpu: {
      ...(cpu as object | undefined),
      ...(nanoCpus !== undefined && {
        quota: nanoCpus === most ? -1 : Math.round((nanoCpus / 1e9) * CPU_PERIOD_US),
        period: CPU_PERIOD_US,
      }),
    },
  };
}

/** vCPUs and memory of the machine of a box that runs. */
function machineOf({ state, spec }: Box): Sizing {
  return ('run' in state ? state.run.sizing : undefined) ?? sizingOf(spec);
}

function tooLarge({ name }: Box, what: string): BoxError {
  return new BoxError('CONFLICT', `the virtual machine of box "${name}" has ${what} while it runs`, {
    hint: `stop it, update it, and start it again: a3s-box stop ${name}`,
  });
}
