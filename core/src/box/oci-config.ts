import { BoxError } from '../errors/box-error.js';
import type { ImageConfig } from '../ports/image-store.js';
import type { BoxSpec, TerminalSize } from './box-spec.js';

const OCI_VERSION = '1.2.0';
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const CPU_PERIOD_US = 100_000;

/** What Docker gives to a container by default. */
const CAPABILITIES = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
] as const;

const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
] as const;

const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'] as const;

/** The `process` document of the OCI runtime specification, as far as it is used here. */
export interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly width: number; readonly height: number };
  /** `username` is Docker's `user[:group]`; the guest looks names up in the container's own files. */
  readonly user: { readonly uid: number; readonly gid: number; readonly username?: string };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities?: Readonly<Record<string, readonly string[]>>;
  readonly noNewPrivileges?: boolean;
}

interface ProcessRequest {
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory?: string | undefined;
  readonly user?: string | undefined;
  readonly terminal: boolean;
  readonly terminalSize?: TerminalSize | undefined;
}

/**
 * Compiles a box's spec and its image's config into one OCI runtime-spec `config.json`.
 *
 * @param hostname host name of the box
 * @throws INVALID_ARGUMENT when neither names a command
 */
export function compileOciConfig(spec: BoxSpec, image: ImageConfig, hostname: string): Record<string, unknown> {
  const process = compileProcess({
    args: commandOf(spec, image),
    environment: mergeEnvironment([DEFAULT_PATH, `HOSTNAME=${hostname}`], image.env, spec.environment),
    workingDirectory: spec.workingDirectory ?? image.workingDir,
    user: spec.user ?? image.user,
    terminal: spec.terminal,
    terminalSize: spec.terminalSize,
  });
  const capabilities = { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES };
  return {
    ociVersion: OCI_VERSION,
    process: { ...process, capabilities, noNewPrivileges: false },
    root: { path: 'rootfs', readonly: false },
    hostname,
    mounts: MOUNTS,
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
      resources: compileResources(spec),
    },
  };
}

/** Compiles the `process` document of an exec. @param image config of the box's image @param box the box's own spec */
export function compileExecProcess(
  request: ProcessRequest,
  box: BoxSpec,
  image: ImageConfig,
  hostname: string,
): OciProcess {
  return compileProcess({
    ...request,
    environment: mergeEnvironment(
      [DEFAULT_PATH, `HOSTNAME=${hostname}`],
      image.env,
      box.environment,
      request.environment,
    ),
    workingDirectory: request.workingDirectory ?? box.workingDirectory ?? image.workingDir,
    user: request.user ?? box.user ?? image.user,
  });
}

const MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
  },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
  },
] as const;

function compileProcess(request: ProcessRequest): OciProcess {
  const environment =
    request.terminal && !has(request.environment, 'TERM')
      ? [...request.environment, 'TERM=xterm']
      : request.environment;
  const size = request.terminalSize;
  return {
    terminal: request.terminal,
    ...(request.terminal && size ? { consoleSize: { width: size.columns, height: size.rows } } : {}),
    user: { uid: 0, gid: 0, ...(request.user ? { username: request.user } : {}) },
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

function compileResources(spec: BoxSpec): Record<string, unknown> {
  if (spec.nanoCpus === undefined || spec.nanoCpus % 1e9 === 0) return {};
  return { cpu: { quota: Math.round((spec.nanoCpus / 1e9) * CPU_PERIOD_US), period: CPU_PERIOD_US } };
}

/** Later lists win; a name keeps the place where it first stood, and a bare one goes. */
function mergeEnvironment(...lists: readonly (readonly string[])[]): string[] {
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
