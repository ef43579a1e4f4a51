import {
  AgentService,
  type ConfigureRequest,
  ContainerService,
  CreateContainerRequest,
  StartContainerRequest,
} from '../gen/a3s/box/agent/v1/agent.js';
import { isBoxError } from '../errors/box-error.js';
import type { AgentSession } from '../guest/agent-session.js';
import type { NetworkEndpoint } from '../ports/network.js';
import type { Operation } from '../ports/operation.js';
import type { RunningVm } from '../vm/running-vm.js';
import { explainLoss } from '../vm/vm-loss.js';
import type { Box } from './box.js';
import type { AttachedVolumes } from './box-volumes.js';
import { configureRequest } from './box-networks.js';
import { containerFiles } from './container-files.js';
import { compileOciConfig, encodeDocument } from './oci-config.js';

/** The one container of a box, in the guest. */
export const CONTAINER_ID = 'box';

interface StartOptions extends Operation {
  readonly endpoint: NetworkEndpoint | undefined;
  readonly volumes?: AttachedVolumes | undefined;
}

/** Sets the guest up for a box and starts its main process. @throws COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, CANCELLED */
export async function startContainer(
  box: Box,
  { session, vm }: RunningVm,
  { endpoint, volumes, signal }: StartOptions,
): Promise<void> {
  const configure = configureRequest(box, endpoint);
  const create = CreateContainerRequest.create({
    containerId: CONTAINER_ID,
    config: encodeDocument(compileOciConfig(box.spec, box.image.config, box.hostname, volumes?.placed)),
    rootFilesystem: { imageSlot: 'root', scratchSlot: 'scratch', scratchDirectory: CONTAINER_ID },
    files: containerFiles(box.hostname, endpoint?.guest, box.spec.options),
    volumes: [...(volumes?.guest ?? [])],
  });
  try {
    const created = (): void => volumes?.filled();
    await startIn(box, session, { configure, create, created, signal });
  } catch (error) {
    const lost = isBoxError(error) && error.code === 'AGENT_UNREACHABLE' && !signal.aborted;
    throw lost ? await explainLoss(vm, error, 'before its workload ran') : error;
  }
}

interface Requests extends Operation {
  readonly configure: ConfigureRequest;
  readonly create: CreateContainerRequest;
  /** Is called when the container was made. */
  readonly created: () => void;
}

async function startIn(
  box: Box,
  session: AgentSession,
  { configure, create, created, signal }: Requests,
): Promise<void> {
  // Neither needs the other, and the way to the guest and back is a good part of a short call.
  await Promise.all([
    box.tracer.span('configure guest', () => session.call(AgentService.configure, configure, signal)),
    box.tracer.span('create container', () => session.call(ContainerService.create, create, signal)),
  ]);
  created();
  const start = StartContainerRequest.create({ containerId: CONTAINER_ID, stdin: box.spec.stdinOpen });
  await box.tracer.span('start container', () => session.call(ContainerService.start, start, signal));
}
