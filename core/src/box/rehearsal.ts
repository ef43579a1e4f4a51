import {
  AgentService,
  AttachOpen,
  ContainerService,
  CreateContainerRequest,
  StartContainerRequest,
} from '../gen/a3s/box/agent/v1/agent.js';
import { BoxError } from '../errors/box-error.js';
import { ProcessAttachment } from '../guest/process-attachment.js';
import type { Image } from '../ports/image-store.js';
import type { BoxMachine } from './box-machines.js';
import { configureRequest } from './box-networks.js';
import { containerFiles } from './container-files.js';
import { noOpProgram } from './no-op-program.js';
import { compileOciConfig, encodeDocument } from './oci-config.js';

const REHEARSAL = 'rehearsal';
/** A program of ours, which is in the container alone: nothing of an image runs in a rehearsal. */
const PROGRAM = '/.a3s-box-rehearsal';
const EXECUTABLE = 0o755;

/**
 * Has a guest make and run a container of an image. It stays there, ended, and keeps the disks mounted. An emulator translates what a guest does for the first time,
 * which is most of what a container's start takes.
 */
export async function rehearse(
  { vm, held }: BoxMachine,
  { id, hostname, image }: { readonly id: string; readonly hostname: string; readonly image: Image },
  signal: AbortSignal,
): Promise<void> {
  const program = noOpProgram();
  if (!program) return;
  const { session } = vm;
  const nothing = { entrypoint: [PROGRAM], environment: [], terminal: false, stdinOpen: false };
  const spec = { ...nothing, image: image.id, autoRemove: true, labels: {} };
  const create = CreateContainerRequest.create({
    containerId: REHEARSAL,
    config: encodeDocument(compileOciConfig(spec, image.config, hostname)),
    rootFilesystem: { imageSlot: 'root', scratchSlot: 'scratch', scratchDirectory: REHEARSAL },
    files: [...containerFiles(hostname, held.endpoint?.guest), { path: PROGRAM, content: program, mode: EXECUTABLE }],
  });
  const configure = configureRequest({ id, hostname }, held.endpoint);
  await Promise.all([
    session.call(AgentService.configure, configure, signal),
    session.call(ContainerService.create, create, signal),
  ]);
  await session.call(ContainerService.start, StartContainerRequest.create({ containerId: REHEARSAL }), signal);
  const attachment = new ProcessAttachment(session, AttachOpen.create({ containerId: REHEARSAL }));
  for await (const { data } of attachment.output())
    throw new BoxError('INTERNAL', `${PROGRAM} wrote ${data.length} bytes`);
  const { code } = await attachment.exited;
  if (code !== 0) throw new BoxError('INTERNAL', `${PROGRAM} ended with ${code}`);
}
