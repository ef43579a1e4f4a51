import {
  AgentService,
  ContainerService,
  CreateContainerRequest,
  StartContainerRequest,
} from '../gen/a3s/box/agent/v1/agent.js';
import type { NetworkEndpoint } from '../ports/network.js';
import type { Operation } from '../ports/operation.js';
import type { RunningVm } from '../vm/running-vm.js';
import type { Box } from './box.js';
import { configureRequest } from './box-networks.js';
import { containerFiles } from './container-files.js';
import { compileOciConfig } from './oci-config.js';

/** The one container of a box, in the guest. */
export const CONTAINER_ID = 'box';

interface StartOptions extends Operation {
  readonly endpoint: NetworkEndpoint | undefined;
}

/** Sets the guest up for a box and starts its main process. @throws COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, CANCELLED */
export async function startContainer(
  box: Box,
  { session }: RunningVm,
  { endpoint, signal }: StartOptions,
): Promise<void> {
  const configure = configureRequest(box, endpoint);
  const create = CreateContainerRequest.create({
    containerId: CONTAINER_ID,
    config: Buffer.from(JSON.stringify(compileOciConfig(box.spec, box.image.config, box.hostname))),
    rootFilesystem: { imageSlot: 'root', scratchSlot: 'scratch', scratchDirectory: CONTAINER_ID },
    files: containerFiles(box.hostname, endpoint?.guest),
  });
  // Neither needs the other, and the way to the guest and back is a good part of a short call.
  await Promise.all([
    box.tracer.span('configure guest', () => session.call(AgentService.configure, configure, signal)),
    box.tracer.span('create container', () => session.call(ContainerService.create, create, signal)),
  ]);
  const start = StartContainerRequest.create({ containerId: CONTAINER_ID, stdin: box.spec.stdinOpen });
  await box.tracer.span('start container', () => session.call(ContainerService.start, start, signal));
}
