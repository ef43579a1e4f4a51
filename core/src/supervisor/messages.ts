import type { Box, BoxExit } from '../box/box.js';
import { sizingOf, type BoxSpec, type RestartPolicy } from '../box/box-spec.js';
import { containerOptionsFrom, containerOptionsTo } from '../box/container-option-messages.js';
import { DEFAULT_LOG_DRIVER } from '../box/log-config.js';
import { healthCheckOf, NEW_HEALTH, type HealthcheckSpec } from '../box/health-check.js';
import { commandOf } from '../box/oci-config.js';
import type { ExecSpec } from '../box/box-execs.js';
import { BoxError } from '../errors/box-error.js';
import {
  Backend,
  BoxRecord,
  BoxSpec as BoxSpecMessage,
  Health as HealthMessage,
  Healthcheck as HealthcheckMessage,
  RestartPolicy as RestartPolicyMessage,
  type PublishedPort as PublishedPortMessage,
  type ExecRequest,
  type ExitStatus,
} from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { PublishedPort } from '../ports/network.js';
import { volumeMountFrom, volumeMountTo } from '../volumes/volume-mount-message.js';
import type { ProbedBackend } from '../vm/backend-chooser.js';

/** Leaves out what the message leaves empty. */
function given<K extends string, T>(key: K, value: T, isGiven: boolean): { readonly [P in K]?: T } {
  return (isGiven ? { [key]: value } : {}) as { readonly [P in K]?: T };
}

/** @throws INVALID_ARGUMENT when the message carries no spec */
export function boxSpecFrom(message: BoxSpecMessage | undefined): BoxSpec {
  if (!message) throw new BoxError('INVALID_ARGUMENT', 'create: the request carries no box');
  const { name, command, workingDirectory, user, hostname, terminalSize, backend, stopSignal, network, platform } =
    message;
  const options = containerOptionsFrom(message.options);
  const nanoCpus = Number(message.nanoCpus);
  const memoryBytes = Number(message.memoryBytes);
  const timeoutMs = Number(message.timeoutMs);
  return {
    image: message.image,
    environment: message.environment,
    terminal: message.terminal,
    stdinOpen: message.stdinOpen,
    autoRemove: message.autoRemove,
    labels: Object.fromEntries(Object.entries(message.labels)),
    ...given('name', name, name !== ''),
    ...given('command', command, command.length > 0),
    ...given('entrypoint', message.entrypoint, message.entrypointSet),
    ...given('workingDirectory', workingDirectory, workingDirectory !== ''),
    ...given('user', user, user !== ''),
    ...given('hostname', hostname, hostname !== ''),
    ...(terminalSize ? { terminalSize } : {}),
    ...given('nanoCpus', nanoCpus, nanoCpus > 0),
    ...given('memoryBytes', memoryBytes, memoryBytes > 0),
    ...given('timeoutMs', timeoutMs, timeoutMs > 0),
    ...given('backend', backend, backend !== ''),
    ...given('stopSignal', stopSignal, stopSignal !== ''),
    ...given('network', network, network !== ''),
    ...given('platform', platform, platform !== ''),
    ...given('ports', message.ports.map(portFrom), message.ports.length > 0),
    ...(options && { options }),
    ...given('volumes', message.volumes.map(volumeMountFrom), message.volumes.length > 0),
    ...given('volumesFrom', message.volumesFrom, message.volumesFrom.length > 0),
    ...given('storageBytes', Number(message.storageBytes), message.storageBytes > 0n),
    ...lifeFrom(message),
  };
}

function lifeFrom({ restart, logDriver, logOptions, stdinKept, healthcheck }: BoxSpecMessage): Partial<BoxSpec> {
  const policy = restart && restartPolicyFrom(restart);
  const options = Object.fromEntries(Object.entries(logOptions));
  const log = { driver: logDriver || DEFAULT_LOG_DRIVER, options };
  return {
    ...(policy && { restart: policy }),
    ...given('log', log, logDriver !== '' || Object.keys(options).length > 0),
    ...given('stdinKept', true, stdinKept),
    ...(healthcheck && { healthcheck: healthcheckFrom(healthcheck) }),
  };
}

function healthcheckFrom(message: HealthcheckMessage): HealthcheckSpec {
  const { test, intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries } = message;
  return {
    ...given('test', test, test.length > 0),
    ...(intervalMs !== undefined && { intervalMs: Number(intervalMs) }),
    ...(timeoutMs !== undefined && { timeoutMs: Number(timeoutMs) }),
    ...(startPeriodMs !== undefined && { startPeriodMs: Number(startPeriodMs) }),
    ...(startIntervalMs !== undefined && { startIntervalMs: Number(startIntervalMs) }),
    ...(retries !== undefined && { retries }),
  };
}

/** @returns undefined for none @throws INVALID_ARGUMENT */
export function restartPolicyFrom({ name, maximumRetries }: RestartPolicyMessage): RestartPolicy | undefined {
  switch (name) {
    case 'no':
      return undefined;
    case 'on-failure':
      return { name, ...given('maximumRetries', maximumRetries, maximumRetries > 0) };
    case 'always':
    case 'unless-stopped':
      return { name };
    default:
      throw new BoxError('INVALID_ARGUMENT', `restart policy "${name}" is not known`, {
        hint: 'there are no, on-failure[:N], always, unless-stopped',
      });
  }
}

function portFrom({ protocol, ...port }: PublishedPortMessage): PublishedPort {
  if (protocol === 'tcp' || protocol === 'udp') return { ...port, protocol };
  throw new BoxError('INVALID_ARGUMENT', `protocol "${protocol}" of a published port is not known`, {
    hint: 'give tcp or udp',
  });
}

export function execSpecFrom(message: ExecRequest): ExecSpec {
  const { workingDirectory, user, terminalSize } = message;
  return {
    command: message.command,
    environment: message.environment,
    terminal: message.terminal,
    stdinOpen: message.stdinOpen,
    detached: message.detached,
    ...given('workingDirectory', workingDirectory, workingDirectory !== ''),
    ...given('user', user, user !== ''),
    ...(terminalSize ? { terminalSize } : {}),
    ...given('privileged', true, message.privileged),
  };
}

export function exitStatusOf(exit: BoxExit): ExitStatus {
  return { ...exit };
}

interface Surroundings {
  /** Name of its network, or `none`. */
  readonly network: string;
  /** Directory of its log; empty: it keeps none. */
  readonly logPath: string;
}

export function boxRecordOf(box: Box, { network, logPath }: Surroundings): BoxRecord {
  const { state, spec } = box;
  const run = 'run' in state ? state.run : undefined;
  const sizing = run?.sizing ?? sizingOf(spec);
  const ended = state.kind === 'exited' || state.kind === 'dead' ? state : undefined;
  return BoxRecord.create({
    id: box.id,
    name: box.name,
    spec: specMessageOf(spec),
    imageId: box.image.id,
    state: stateOf(box),
    createdNs: box.createdNs,
    startedNs: 'startedNs' in state ? state.startedNs : (run?.startedNs ?? 0n),
    finishedNs: ended?.exit.timeNs ?? 0n,
    exit: ended ? exitStatusOf(ended.exit) : undefined,
    backend: run?.vm.backend ?? '',
    acceleration: run?.acceleration ?? '',
    vmmPid: run?.vm.vmm.pid ?? 0,
    cloned: run?.cloned ?? false,
    vcpus: sizing.vcpus,
    memoryBytes: BigInt(sizing.memoryBytes),
    generation: BigInt(box.generation),
    arguments: [...commandOf(spec, box.image.config)],
    pausedBecause: state.kind === 'paused' ? state.because : '',
    network,
    addresses: [...(run?.network?.addresses ?? [])],
    ports: [...(run?.network?.ports ?? spec.ports ?? [])],
    restartCount: box.marks.restarts,
    startError: box.marks.startError,
    logPath,
    health: healthOf(box),
  });
}

/** As records tell it. */
export function stateOf({ restarting, state }: Box): string {
  return restarting ? 'restarting' : state.kind;
}

function healthOf({ health = NEW_HEALTH, spec, image, live }: Box): HealthMessage | undefined {
  if (!healthCheckOf(spec, image.config.healthcheck)) return undefined;
  if (!live && health === NEW_HEALTH) return undefined;
  const log = health.log.map(({ startNs, endNs, ...rest }) => ({
    ...rest,
    startNs: BigInt(startNs),
    endNs: BigInt(endNs),
  }));
  return { ...health, log };
}

function healthcheckTo(healthcheck: HealthcheckSpec): HealthcheckMessage {
  const { test = [], intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries } = healthcheck;
  const ms = (value: number | undefined) => (value === undefined ? undefined : BigInt(value));
  return {
    test: [...test],
    intervalMs: ms(intervalMs),
    timeoutMs: ms(timeoutMs),
    startPeriodMs: ms(startPeriodMs),
    startIntervalMs: ms(startIntervalMs),
    retries,
  };
}

export function specMessageOf(spec: BoxSpec): BoxSpecMessage {
  const { ports, options, volumes, volumesFrom, restart, log, healthcheck, ...rest } = spec;
  return BoxSpecMessage.create({
    ...rest,
    ...(restart && { restart: { maximumRetries: 0, ...restart } }),
    logDriver: log?.driver ?? '',
    logOptions: { ...log?.options },
    ...(healthcheck && { healthcheck: healthcheckTo(healthcheck) }),
    ports: [...(ports ?? [])],
    options: options && containerOptionsTo(options),
    volumes: (volumes ?? []).map(volumeMountTo),
    volumesFrom: [...(volumesFrom ?? [])],
    storageBytes: BigInt(spec.storageBytes ?? 0),
    command: [...(spec.command ?? [])],
    entrypoint: [...(spec.entrypoint ?? [])],
    entrypointSet: spec.entrypoint !== undefined,
    environment: [...spec.environment],
    nanoCpus: BigInt(spec.nanoCpus ?? 0),
    memoryBytes: BigInt(spec.memoryBytes ?? 0),
    timeoutMs: BigInt(spec.timeoutMs ?? 0),
    labels: { ...spec.labels },
  });
}

export function backendOf({ hypervisor, probe }: ProbedBackend): Backend {
  return Backend.create({
    name: hypervisor.name,
    usable: probe.usable,
    reason: [probe.reason, ...Object.values(probe.impaired ?? {})].join('; '),
    version: probe.version ?? '',
    acceleration: probe.acceleration,
    accelerator: probe.accelerator ?? '',
    capabilities: [...probe.capabilities].sort(),
    maxVcpus: probe.limits.maxVcpus,
    minMemoryBytes: BigInt(probe.limits.minMemoryBytes),
    maxMemoryBytes: BigInt(probe.limits.maxMemoryBytes),
  });
}
