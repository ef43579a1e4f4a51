import { BoxError } from '../errors/box-error.js';

import type { PublishedPort } from '../ports/network.js';
import { checkVolumeMounts, type VolumeMount } from '../volumes/volume-mount.js';
import { checkDiskSize } from '../vm/assets/scratch-disk.js';
import { architectureOf } from '../vm/guest-architecture.js';
import { checkContainerOptions } from './check-container-options.js';
import { cpusOfQuota } from './container-limits.js';
import type { ContainerOptions } from './container-options.js';
import type { HealthcheckSpec } from './health-check.js';
import type { LogConfig } from './log-config.js';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What a user asked for. Absent means the image's or the product's default. */
export interface BoxSpec {
  /** Absent: a name is made. */
  readonly name?: string;
  /** Image reference, digest or id. */
  readonly image: string;
  /** What the image has to be for, such as `linux/arm64`; absent: the host's. */
  readonly platform?: string;
  /** Replaces the image's command. */
  readonly command?: readonly string[];
  /** Replaces the image's entrypoint; an empty list takes it away. */
  readonly entrypoint?: readonly string[];
  /** `NAME=value`, or `NAME` alone, which takes the image's away. */
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
  /** `user[:group]`, names or numbers. */
  readonly user?: string;
  readonly hostname?: string;
  readonly terminal: boolean;
  readonly terminalSize?: TerminalSize;
  readonly stdinOpen: boolean;
  /** Billionths of a CPU. */
  readonly nanoCpus?: number;
  readonly memoryBytes?: number;
  readonly autoRemove: boolean;
  /** Ends the box this long after its start, milliseconds. */
  readonly timeoutMs?: number;
  /** Backend by name. */
  readonly backend?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Signal that `stop` sends, by name or number. */
  readonly stopSignal?: string;
  /** Network by name, or `none`. Absent: the distribution's default. */
  readonly network?: string;
  /** Ports that the host listens on. Absent: none. */
  readonly ports?: readonly PublishedPort[];
  /** When it is started again after its end. Absent: never. */
  readonly restart?: RestartPolicy;
  /** Absent: the default driver without options. */
  readonly log?: LogConfig;
  /** Whether the end of a client's stdin ends the workload's. Absent: yes. */
  readonly stdinKept?: boolean;
  /** Absent: the image's. */
  readonly healthcheck?: HealthcheckSpec;
  readonly options?: ContainerOptions;
  /** What of the host's it sees. Settled: with the image's volumes, each with a name. */
  readonly volumes?: readonly VolumeMount[];
  /** Boxes whose volumes it gets too, name or id, then `:ro` for reading only. */
  readonly volumesFrom?: readonly string[];
  /** Size of its scratch disk, on which it writes its root, bytes. */
  readonly storageBytes?: number;
}

/** As Docker has it. */
export interface RestartPolicy {
  readonly name: 'on-failure' | 'always' | 'unless-stopped';
  /** With `on-failure`: give up after so many times; absent: never. */
  readonly maximumRetries?: number;
}

export const DEFAULT_MEMORY_BYTES = 512 * 1024 * 1024;
export const DEFAULT_VCPUS = 1;
const MIB = 1024 * 1024;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/;
const HOSTNAME = /^(?=.{1,64}$)[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/;
const VARIABLE = /^[^=\0]+(=[^\0]*)?$/;

/** The part of a VM's shape that a spec decides. */
export interface Sizing {
  readonly vcpus: number;
  readonly memoryBytes: number;
}

/** vCPUs and memory of the VM for a spec: CPUs rounded up to whole ones, memory to whole MiB. */
export function sizingOf(spec: Pick<BoxSpec, 'nanoCpus' | 'memoryBytes' | 'options'>): Sizing {
  const cpus = spec.nanoCpus === undefined ? cpusOfQuota(spec.options ?? {}) : spec.nanoCpus / 1e9;
  return {
    vcpus: cpus === undefined ? DEFAULT_VCPUS : Math.ceil(cpus),
    memoryBytes: Math.ceil((spec.memoryBytes ?? DEFAULT_MEMORY_BYTES) / MIB) * MIB,
  };
}

/** Checks what can be checked without an image or a backend. @throws INVALID_ARGUMENT, UNSUPPORTED */
export function checkBoxSpec(spec: BoxSpec): void {
  const { name, hostname, workingDirectory, terminalSize } = spec;
  architectureOf(spec.platform);
  if (name !== undefined && !NAME.test(name)) {
    fail(
      `box name "${name}" is not valid`,
      'use letters, digits, "_", "." and "-", at least two, starting with a letter or digit',
    );
  }
  if (hostname !== undefined && !HOSTNAME.test(hostname)) {
    fail(`host name "${hostname}" is not valid`, 'use at most 64 letters, digits, "-" and dots between them');
  }
  if (workingDirectory !== undefined && (!workingDirectory.startsWith('/') || workingDirectory.includes('\0'))) {
    fail(`working directory "${workingDirectory}" is not an absolute path`, 'give a path that starts with "/"');
  }
  for (const variable of spec.environment) {
    if (!VARIABLE.test(variable))
      fail(`environment variable "${variable}" is not valid`, 'give NAME=value, or NAME to take one away');
  }
  for (const argument of [...(spec.command ?? []), ...(spec.entrypoint ?? [])]) {
    if (argument.includes('\0')) fail('the command holds a zero byte', 'take it out');
  }
  checkVolumeMounts(spec.volumes ?? []);
  if (spec.storageBytes !== undefined) checkDiskSize(spec.storageBytes);
  if (terminalSize && !(isSize(terminalSize.columns) && isSize(terminalSize.rows))) {
    fail(`terminal size ${terminalSize.columns}x${terminalSize.rows} is not valid`, 'give 1 to 65535 columns and rows');
  }
  if (spec.options) checkContainerOptions(spec.options, spec, sizingOf(spec));
}

function isSize(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65535;
}

function fail(message: string, hint: string): never {
  throw new BoxError('INVALID_ARGUMENT', message, { hint });
}
