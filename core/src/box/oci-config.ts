import { BoxError } from '../errors/box-error.js';
import type { ImageConfig } from '../ports/image-store.js';
import { architectureOf } from '../vm/guest-architecture.js';
import { withVolumes, type PlacedVolume } from '../volumes/volume-mount.js';
import type { BoxSpec, TerminalSize } from './box-spec.js';
import { confinementOf, PRIVILEGED_CAPABILITIES, type CapabilitySets } from './container-confinement.js';
import { resourcesOf, rlimitsOf } from './container-limits.js';
import { containerMounts } from './container-mounts.js';
import { encodeExact } from './exact-json.js';
import { splitSysctls } from './sysctls.js';

const OCI_VERSION = '1.2.0';
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The `process` document of the OCI runtime specification, as far as it is used here. */
export interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly width: number; readonly height: number };
  /** `username` is Docker's `user[:group]`; the guest looks its names, and those of groups, up in the container's own files. */
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly username?: string;
    readonly additionalGroups?: readonly string[];
  };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities?: CapabilitySets;
  readonly noNewPrivileges?: boolean;
}

interface ProcessRequest {
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory?: string | undefined;
  readonly user?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly terminal: boolean;
  readonly terminalSize?: TerminalSize | undefined;
}

/**
 * Compiles a box's spec and its image's config into one OCI runtime-spec `config.json`.
 *
 * @param hostname host name of the box @param volumes what of the host's is mounted in it
 * @throws INVALID_ARGUMENT when neither names a command
 */
export function compileOciConfig(
  spec: BoxSpec,
  image: ImageConfig,
  hostname: string,
  volumes: readonly PlacedVolume[] = [],
): Record<string, unknown> {
  const { options = {} } = spec;
  const process = compileProcess({
    args: commandOf(spec, image),
    environment: mergeEnvironment([DEFAULT_PATH, `HOSTNAME=${hostname}`], image.env, spec.environment),
    workingDirectory: spec.workingDirectory ?? image.workingDir,
    user: spec.user ?? image.user,
    groups: options.groups,
    terminal: spec.terminal,
    terminalSize: spec.terminalSize,
  });
  const { capabilities, noNewPrivileges, seccomp, maskedPaths, readonlyPaths } = confinementOf(
    options,
    architectureOf(spec.platform),
  );
  const rlimits = rlimitsOf(options);
  const { oomScoreAdj, domainName, annotations } = options;
  return {
    ociVersion: OCI_VERSION,
    process: {
      ...process,
      capabilities,
      noNewPrivileges,
      ...(rlimits.length > 0 && { rlimits }),
      ...(oomScoreAdj !== undefined && { oomScoreAdj }),
    },
    root: { path: 'rootfs', readonly: options.readOnly === true },
    hostname,
    ...(domainName !== undefined && { domainname: domainName }),
    mounts: withVolumes(containerMounts(options), volumes),
    ...(annotations && { annotations }),
    ...(options.init === true && { init: true }),
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      maskedPaths,
      readonlyPaths,
      resources: resourcesOf(spec),
      sysctl: splitSysctls(options.sysctls).container,
      ...(seccomp && { seccomp }),
    },
  };
}

/** A document as the guest takes it. */
export function encodeDocument(document: object): Buffer {
  return Buffer.from(encodeExact(document));
}

/** Compiles the `process` document of an exec. @param image config of the box's image @param box the box's own spec */
export function compileExecProcess(
  request: ProcessRequest & { readonly privileged?: boolean },
  box: BoxSpec,
  image: ImageConfig,
  hostname: string,
): OciProcess {
  const process = compileProcess({
    ...request,
    groups: box.options?.groups,
    environment: mergeEnvironment(
      [DEFAULT_PATH, `HOSTNAME=${hostname}`],
      image.env,
      box.environment,
      request.environment,
    ),
    workingDirectory: request.workingDirectory ?? box.workingDirectory ?? image.workingDir,
    user: request.user ?? box.user ?? image.user,
  });
  // The rest of its confinement is the container's, its system calls too, as in Docker.
  return request.privileged === true ? { ...process, capabilities: PRIVILEGED_CAPABILITIES } : process;
}

function compileProcess(request: ProcessRequest): OciProcess {
  const environment =
    request.terminal && !has(request.environment, 'TERM')
      ? [...request.environment, 'TERM=xterm']
      : request.environment;
  const size = request.terminalSize;
  return {
    terminal: request.terminal,
    ...(request.terminal && size ? { consoleSize: { width: size.columns, height: size.rows } } : {}),
    user: {
      uid: 0,
      gid: 0,
      ...(request.user ? { username: request.user } : {}),
      ...(request.groups && request.groups.length > 0 && { additionalGroups: request.groups }),
    },
    args: request.args,
    env: environment,
    cwd: request.workingDirectory || '/',
  };
}

/** Program and arguments of the main process. @throws INVALID_ARGUMENT when neither names a command */
export function commandOf(spec: BoxSpec, image: ImageConfig): readonly string[] {
  const entrypoint = spec.entrypoint ?? image.entrypoint ?? [];
  // As in Docker, a new entrypoint takes the image's command away.
  const command = spec.command ?? (spec.entrypoint ? [] : (image.cmd ?? []));
  const args = [...entrypoint, ...command];
  if (args.length === 0) {
    throw new BoxError('INVALID_ARGUMENT', `no command was given and image "${spec.image}" names none`, {
      hint: 'give a command after the image',
    });
  }
  return args;
}

/** Later lists win; a name keeps the place where it first stood, and `NAME` alone takes one away. */
export function mergeEnvironment(...lists: readonly (readonly string[])[]): string[] {
  const values = new Map<string, string>();
  for (const variable of lists.flat()) {
    if (variable.includes('=')) values.set(nameOf(variable), variable);
    else values.delete(variable);
  }
  return [...values.values()];
}

function has(environment: readonly string[], name: string): boolean {
  return environment.some((variable) => nameOf(variable) === name);
}

function nameOf(variable: string): string {
  const at = variable.indexOf('=');
  return at < 0 ? variable : variable.slice(0, at);
}
