/** Which calls are written into the audit record, and what of them. Values of variables never are. */
import { containerOptionsFrom } from '../box/container-option-messages.js';
import { FilesService } from '../gen/a3s/box/supervisor/v1/files.js';
import { LifecycleService } from '../gen/a3s/box/supervisor/v1/lifecycle.js';
import { SnapshotsService } from '../gen/a3s/box/supervisor/v1/snapshots.js';
import {
  BoxesService,
  ImagesService,
  SupervisorService,
  TemplatesService,
  type BoxSpec,
} from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { WatchingService } from '../gen/a3s/box/supervisor/v1/watching.js';
import { RegistriesService, type RegistryCredentials } from '../gen/a3s/box/supervisor/v1/registries.js';
import { SignaturesService } from '../gen/a3s/box/supervisor/v1/signatures.js';
import { VolumesService } from '../gen/a3s/box/supervisor/v1/volumes.js';

/** What a call is about. */
export interface Audited {
  /** Box, image and so on, as the client names it. */
  readonly subject: string;
  /** Whether that is a box. */
  readonly isBox?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

type Describe = (request: unknown) => Audited | undefined;

/** So much of a command line is kept, characters. */
const COMMAND_LENGTH = 1024;

/** By path of the method. A request may be one of several messages: the first that tells something counts. */
export const AUDITED_CALLS: ReadonlyMap<string, Describe> = new Map([
  call(SupervisorService.stop, () => ({ subject: '' })),
  call(BoxesService.run, ({ request }) => {
    if (request?.$case !== 'open') return undefined;
    const { box, spec, detached } = request.value;
    return box === '' ? ofSpec(spec, { detached }) : ofBox(box, { detached });
  }),
  call(BoxesService.create, ({ spec }) => ofSpec(spec)),
  call(BoxesService.start, ({ box }) => ofBox(box)),
  call(BoxesService.exec, ({ box, command, environment, user, privileged, workingDirectory }) =>
    ofBox(box, {
      command: shortened(command),
      variables: namesOf(environment),
      ...(user !== '' && { user }),
      ...(workingDirectory !== '' && { workingDirectory }),
      ...(privileged && { privileged }),
    }),
  ),
  call(BoxesService.attach, ({ request }) =>
    request?.$case === 'open'
      ? ofBox(request.value.box, {
          stdin: request.value.stdin,
          ...(request.value.execId !== '' && { exec: request.value.execId }),
        })
      : undefined,
  ),
  call(BoxesService.signal, ({ box, signal, execId }) =>
    ofBox(box, { signal, ...(execId !== '' && { exec: execId }) }),
  ),
  call(BoxesService.stop, ({ box, graceMs, signal }) => ofBox(box, { graceMs, ...(signal !== '' && { signal }) })),
  call(BoxesService.remove, ({ box, force, volumes }) => ofBox(box, { force, volumes })),
  call(LifecycleService.restart, ({ box, graceMs, signal }) =>
    ofBox(box, { graceMs, ...(signal !== '' && { signal }) }),
  ),
  call(LifecycleService.pause, ({ box }) => ofBox(box)),
  call(LifecycleService.unpause, ({ box }) => ofBox(box)),
  call(LifecycleService.rename, ({ box, name }) => ofBox(box, { name })),
  call(LifecycleService.update, ({ box, memoryBytes, nanoCpus, restart, limits }) =>
    ofBox(box, {
      ...(memoryBytes > 0n && { memoryBytes: String(memoryBytes) }),
      ...(nanoCpus > 0n && { nanoCpus: String(nanoCpus) }),
      ...(restart && { restart: restart.name }),
      ...containerOptionsFrom(limits),
    }),
  ),
  call(LifecycleService.prune, () => ({ subject: '' })),
  call(FilesService.write, ({ request }) =>
    request?.$case === 'open' ? ofBox(request.value.box, { directory: request.value.directory.toString() }) : undefined,
  ),
  call(FilesService.commit, ({ box, name }) => ofBox(box, { ...(name !== '' && { image: name }) })),
  call(SnapshotsService.create, ({ box, name }) => ofBox(box, { ...(name !== '' && { snapshot: name }) })),
  call(SnapshotsService.restore, ({ snapshot, name }) => ({ subject: snapshot, details: name === '' ? {} : { name } })),
  call(SnapshotsService.remove, ({ snapshot }) => ({ subject: snapshot })),
  call(SnapshotsService.prune, ({ all }) => ({ subject: '', details: { all } })),
  call(TemplatesService.create, ({ backend, network }) => ({ subject: '', details: { backend, network } })),
  call(TemplatesService.remove, ({ template }) => ({ subject: template })),
  call(TemplatesService.prune, () => ({ subject: '' })),
  call(ImagesService.pull, ({ reference, credentials }) => ({
    subject: reference,
    details: credentials.length > 0 ? { users: credentials.map(userOf) } : {},
  })),
  call(ImagesService.push, ({ name, images, allTags, credentials }) => ({
    subject: name,
    details: {
      ...(images.length > 0 && { images }),
      ...(allTags && { allTags }),
      ...(credentials.length > 0 && { users: credentials.map(userOf) }),
    },
  })),
  call(RegistriesService.login, ({ credentials }) => ({
    subject: credentials?.registry ?? '',
    details: { user: credentials?.username ?? '' },
  })),
  call(ImagesService.load, ({ request }) => ({ subject: request?.$case === 'directory' ? request.value : '' })),
  call(ImagesService.import, ({ request }) => ({ subject: request?.$case === 'options' ? request.value.name : '' })),
  call(ImagesService.tag, ({ image, name }) => ({ subject: image, details: { name } })),
  // Without the repair it changes nothing, and is written down all the same.
  call(ImagesService.check, ({ repair }) => ({ subject: '', details: { repair } })),
  call(ImagesService.remove, ({ image, force }) => ({ subject: image, details: { force } })),
  call(SignaturesService.sign, ({ image, predicateType }) => ({
    subject: image,
    details: predicateType === '' ? {} : { predicateType },
  })),
  call(WatchingService.setMetrics, ({ address }) => ({ subject: address })),
  call(VolumesService.create, ({ name, sizeBytes }) => ({
    subject: name,
    details: sizeBytes > 0n ? { sizeBytes: String(sizeBytes) } : {},
  })),
  call(VolumesService.remove, ({ name }) => ({ subject: name })),
  call(VolumesService.prune, ({ all }) => ({ subject: '', details: { all } })),
]);

interface Method<Request> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
}

function call<Request>(
  { path }: Method<Request>,
  describe: (request: Request) => Audited | undefined,
): [string, Describe] {
  return [path, (request) => describe(request as Request)];
}

function ofBox(box: string, details: Audited['details'] = {}): Audited {
  return { subject: box, isBox: true, details };
}

function ofSpec(spec: BoxSpec | undefined, more: Audited['details'] = {}): Audited {
  if (!spec) return { subject: '' };
  const { name, image, command, environment, user, network, ports, volumes, options, autoRemove } = spec;
  return {
    subject: name,
    details: {
      image,
      ...(command.length > 0 && { command: shortened(command) }),
      variables: namesOf(environment),
      ...(user !== '' && { user }),
      ...(network !== '' && { network }),
      ...(ports.length > 0 && {
        ports: ports.map((port) => `${port.hostAddress}:${port.hostPort}:${port.guestPort}/${port.protocol}`),
      }),
      ...(volumes.length > 0 && {
        mounts: volumes.map(
          ({ kind, source, target, readOnly }) => `${kind}:${source}:${target}${readOnly ? ':ro' : ''}`,
        ),
      }),
      ...(options?.privileged && { privileged: true }),
      ...(options && options.capAdd.length > 0 && { capabilities: options.capAdd }),
      ...(autoRemove && { autoRemove }),
      ...more,
    },
  };
}

/** Whom somebody is at a registry; never what they show for it. */
function userOf({ registry, username }: RegistryCredentials): string {
  return `${username}@${registry}`;
}

/** Names of `NAME=value`. */
function namesOf(environment: readonly string[]): string[] {
  return environment.map((variable) => variable.split('=', 1)[0] ?? '');
}

function shortened(command: readonly string[]): string[] {
  const kept: string[] = [];
  let room = COMMAND_LENGTH;
  for (const word of command) {
    if (room <= 0) break;
    kept.push(word.length > room ? `${word.slice(0, room)}…` : word);
    room -= word.length;
  }
  return kept;
}
