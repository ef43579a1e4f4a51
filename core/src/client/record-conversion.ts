/** Translation between the protocol's messages and the client's plain values. */
import type { BoxSpec, RestartPolicy } from '../box/box-spec.js';
import { containerOptionsFrom, containerOptionsTo } from '../box/container-option-messages.js';
import type { HealthcheckSpec } from '../box/health-check.js';
import { UpdateBoxRequest, type TopResponse } from '../gen/a3s/box/supervisor/v1/lifecycle.js';
import { BoxError } from '../errors/box-error.js';
import * as proto from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { ImageStep, StoreCheck, StoreProblem } from '../ports/image-store.js';
import type { PublishedPort } from '../ports/network.js';
import type { Progress } from '../ports/operation.js';
import { volumeMountFrom, volumeMountTo } from '../volumes/volume-mount-message.js';
import type {
  BackendInfo,
  BoxHealth,
  BoxProcesses,
  BoxRecord,
  BoxState,
  BoxUpdate,
  LogRecord,
  ExitStatus,
  HostInfo,
  ImageDetails,
  ImageRecord,
  PushedImage,
  PluginInfo,
  TemplateRecord,
} from './records.js';

const NS_PER_MS = 1_000_000n;
const STATES: readonly BoxState[] = [
  'created',
  'starting',
  'running',
  'paused',
  'stopping',
  'restarting',
  'exited',
  'dead',
];
const ACCELERATIONS: readonly BackendInfo['acceleration'][] = ['hardware', 'emulation', 'none'];
const PLUGIN_STATES: readonly PluginInfo['state'][] = ['active', 'skipped', 'faulted'];

export function boxStateFrom(state: string): BoxState {
  return oneOf(STATES, state, 'state of a box');
}

export function specTo(spec: BoxSpec): proto.BoxSpec {
  const { nanoCpus = 0, memoryBytes = 0, timeoutMs = 0, storageBytes = 0, ...rest } = spec;
  const { command, entrypoint, environment, ports, options, volumes, volumesFrom, restart, log, healthcheck, ...same } =
    rest;
  return proto.BoxSpec.create({
    ...same,
    command: [...(command ?? [])],
    entrypoint: [...(entrypoint ?? [])],
    entrypointSet: entrypoint !== undefined,
    environment: [...environment],
    nanoCpus: wholeNumber(nanoCpus, 'CPUs in billionths'),
    memoryBytes: wholeNumber(memoryBytes, 'memory'),
    timeoutMs: wholeNumber(timeoutMs, 'time limit'),
    ports: [...(ports ?? [])],
    options: options && containerOptionsTo(options),
    volumes: (volumes ?? []).map(volumeMountTo),
    volumesFrom: [...(volumesFrom ?? [])],
    storageBytes: wholeNumber(storageBytes, 'size of the disk'),
    ...(restart && { restart: restartTo(restart) }),
    logDriver: log?.driver ?? '',
    logOptions: { ...log?.options },
    ...(healthcheck && { healthcheck: healthcheckTo(healthcheck) }),
  });
}

function healthcheckTo(healthcheck: HealthcheckSpec): proto.Healthcheck {
  const { test = [], retries } = healthcheck;
  const ms = (value: number | undefined) =>
    value === undefined ? undefined : wholeNumber(value, 'a time of the health check, milliseconds');
  return {
    test: [...test],
    intervalMs: ms(healthcheck.intervalMs),
    timeoutMs: ms(healthcheck.timeoutMs),
    startPeriodMs: ms(healthcheck.startPeriodMs),
    startIntervalMs: ms(healthcheck.startIntervalMs),
    retries,
  };
}

function healthcheckFrom(message: proto.Healthcheck): HealthcheckSpec {
  const { test, retries } = message;
  const times = ['intervalMs', 'timeoutMs', 'startPeriodMs', 'startIntervalMs'] as const;
  const given = times.flatMap((name) => (message[name] === undefined ? [] : [[name, Number(message[name])] as const]));
  return {
    ...(test.length > 0 && { test }),
    ...Object.fromEntries(given),
    ...(retries !== undefined && { retries }),
  };
}

function healthFrom({ status, failingStreak, log }: proto.Health): BoxHealth {
  return {
    status: oneOf(['starting', 'healthy', 'unhealthy'], status, 'health of a box'),
    failingStreak,
    log: log.map(({ startNs, endNs, ...rest }) => ({ ...rest, start: dateOf(startNs), end: dateOf(endNs) })),
  };
}

function restartTo({ name, maximumRetries = 0 }: RestartPolicy): proto.RestartPolicy {
  return { name, maximumRetries };
}

export function updateTo(box: string, { memoryBytes = 0, nanoCpus = 0, limits, restart }: BoxUpdate): UpdateBoxRequest {
  return UpdateBoxRequest.create({
    box,
    memoryBytes: wholeNumber(memoryBytes, 'memory'),
    nanoCpus: wholeNumber(nanoCpus, 'CPUs in billionths'),
    ...(limits && { limits: containerOptionsTo(limits) }),
    ...(restart && { restart: restart === 'no' ? { name: 'no', maximumRetries: 0 } : restartTo(restart) }),
  });
}

const POLICIES = ['on-failure', 'always', 'unless-stopped'] as const;

function lifeFrom({ restart, logDriver, logOptions, stdinKept, healthcheck }: proto.BoxSpec): Partial<BoxSpec> {
  const { name = 'no', maximumRetries = 0 } = restart ?? {};
  const retries = maximumRetries > 0 ? { maximumRetries } : {};
  return {
    ...(name !== 'no' && { restart: { name: oneOf(POLICIES, name, 'restart policy'), ...retries } }),
    ...(logDriver && { log: { driver: logDriver, options: logOptions } }),
    ...(stdinKept && { stdinKept }),
    ...(healthcheck && { healthcheck: healthcheckFrom(healthcheck) }),
  };
}

export function specFrom(spec: proto.BoxSpec): BoxSpec {
  const { name, workingDirectory, user, hostname, terminalSize, backend, stopSignal, network, platform } = spec;
  const options = containerOptionsFrom(spec.options);
  return {
    image: spec.image,
    environment: spec.environment,
    terminal: spec.terminal,
    stdinOpen: spec.stdinOpen,
    autoRemove: spec.autoRemove,
    labels: spec.labels,
    ...(spec.command.length > 0 && { command: spec.command }),
    ...(spec.entrypointSet && { entrypoint: spec.entrypoint }),
    ...(name && { name }),
    ...(workingDirectory && { workingDirectory }),
    ...(user && { user }),
    ...(hostname && { hostname }),
    ...(terminalSize && { terminalSize }),
    ...(spec.nanoCpus > 0n && { nanoCpus: Number(spec.nanoCpus) }),
    ...(spec.memoryBytes > 0n && { memoryBytes: Number(spec.memoryBytes) }),
    ...(spec.timeoutMs > 0n && { timeoutMs: Number(spec.timeoutMs) }),
    ...(backend && { backend }),
    ...(stopSignal && { stopSignal }),
    ...(network && { network }),
    ...(platform && { platform }),
    ...(spec.ports.length > 0 && { ports: spec.ports.map(portFrom) }),
    ...(options && { options }),
    ...(spec.volumes.length > 0 && { volumes: spec.volumes.map(volumeMountFrom) }),
    ...(spec.volumesFrom.length > 0 && { volumesFrom: spec.volumesFrom }),
    ...(spec.storageBytes > 0n && { storageBytes: Number(spec.storageBytes) }),
    ...lifeFrom(spec),
  };
}

function portFrom({ protocol, ...port }: proto.PublishedPort): PublishedPort {
  return { ...port, protocol: oneOf(['tcp', 'udp'], protocol, 'protocol of a port') };
}

export function exitStatusFrom({ known, code, outOfMemory, timedOut, reason, timeNs }: proto.ExitStatus): ExitStatus {
  const rest = { outOfMemory, timedOut, timeNs, ...(reason && { reason }) };
  return known ? { known: true, code, ...rest } : { known: false, ...rest };
}

export function boxFrom(box: proto.BoxRecord): BoxRecord {
  return {
    id: box.id,
    name: box.name,
    spec: specFrom(box.spec ?? proto.BoxSpec.create({})),
    imageId: box.imageId,
    state: boxStateFrom(box.state),
    created: dateOf(box.createdNs),
    ...(box.startedNs > 0n && { started: dateOf(box.startedNs) }),
    ...(box.finishedNs > 0n && { finished: dateOf(box.finishedNs) }),
    ...(box.exit && { exit: exitStatusFrom(box.exit) }),
    backend: box.backend,
    acceleration: box.acceleration,
    cloned: box.cloned,
    ...(box.vmmPid > 0 && { vmmPid: box.vmmPid }),
    vcpus: box.vcpus,
    memoryBytes: Number(box.memoryBytes),
    generation: Number(box.generation),
    arguments: box.arguments,
    ...(box.pausedBecause && { pausedBecause: box.pausedBecause }),
    network: box.network,
    addresses: box.addresses,
    ports: box.ports.map(portFrom),
    restartCount: box.restartCount,
    ...(box.startError && { startError: box.startError }),
    ...(box.logPath && { logPath: box.logPath }),
    ...(box.health && { health: healthFrom(box.health) }),
  };
}

export function processesFrom({ processes, leftOut }: TopResponse): BoxProcesses {
  return {
    leftOut,
    processes: processes.map(({ startTimeNs, cpuNs, ...rest }) => ({
      ...rest,
      started: dateOf(startTimeNs),
      cpuMs: Number(cpuNs / NS_PER_MS),
    })),
  };
}

export function logRecordFrom({ stream, timeNs, data }: proto.LogRecord): LogRecord {
  return { stream: stream === proto.Stream.STDERR ? 'stderr' : 'stdout', timeNs, data };
}

export function infoFrom({ chosenBackend, ...info }: proto.InfoResponse): HostInfo {
  return {
    ...info,
    ...(chosenBackend && { chosenBackend }),
    backends: info.backends.map((backend) => ({
      ...backend,
      acceleration: oneOf(ACCELERATIONS, backend.acceleration, 'acceleration'),
      minMemoryBytes: Number(backend.minMemoryBytes),
      maxMemoryBytes: Number(backend.maxMemoryBytes),
    })),
    plugins: info.plugins.map((plugin) => ({
      ...plugin,
      state: oneOf(PLUGIN_STATES, plugin.state, 'state of a plugin'),
    })),
  };
}

export function imageFrom({ created, sizeBytes, ...image }: proto.ImageRecord): ImageRecord {
  const date = new Date(created);
  return { ...image, sizeBytes: Number(sizeBytes), ...(!Number.isNaN(date.getTime()) && { created: date }) };
}

export function pushedFrom({ sizeBytes, ...pushed }: proto.PushedImage): PushedImage {
  return { ...pushed, sizeBytes: Number(sizeBytes) };
}

export function imageDetailsFrom(message: proto.InspectImageResponse): ImageDetails {
  const { image, config, diffIds, history } = message;
  if (!image || !config) throw new BoxError('INTERNAL', 'the supervisor described no image');
  const { environment, command, workingDirectory, user, entrypoint, stopSignal, ...rest } = config;
  return {
    ...imageFrom(image),
    diffIds,
    history: history.map(imageStepFrom),
    config: {
      ...rest,
      env: environment,
      ...(user && { user }),
      ...(entrypoint.length > 0 && { entrypoint }),
      ...(command.length > 0 && { cmd: command }),
      ...(workingDirectory && { workingDir: workingDirectory }),
      ...(stopSignal && { stopSignal }),
    },
  };
}

function imageStepFrom({ created, createdBy, comment, sizeBytes }: proto.ImageStep): ImageStep {
  return {
    ...(created && { created }),
    ...(createdBy && { createdBy }),
    ...(comment && { comment }),
    sizeBytes: Number(sizeBytes),
  };
}

export function storeCheckFrom({ layers, problems, removed }: proto.StoreCheck): StoreCheck {
  return { layers, removed, problems: problems.map((it) => ({ ...it, kind: it.kind as StoreProblem['kind'] })) };
}

export function templateFrom(message: proto.TemplateRecord): TemplateRecord {
  const { key, whole, backend, vcpus, network, version } = message;
  const common = { key, used: dateOf(message.usedNs), sizeBytes: Number(message.sizeBytes) };
  if (!whole) return common;
  const shape = { backend, vcpus, memoryBytes: Number(message.memoryBytes), network };
  return { ...common, shape, created: dateOf(message.createdNs), version };
}

const PHASES = [
  ...(['waiting', 'downloading', 'reading', 'writing', 'compressing', 'uploading', 'mounted'] as const),
  ...(['done', 'exists'] as const),
];

export function progressFrom({ item, phase, doneBytes, totalBytes }: proto.ProgressStep): Progress {
  const total = Number(totalBytes);
  return { item, phase: oneOf(PHASES, phase, 'phase'), done: Number(doneBytes), ...(total > 0 && { total }) };
}

export function dateOf(ns: bigint): Date {
  return new Date(Number(ns / NS_PER_MS));
}

/** @throws INVALID_ARGUMENT for what cannot be sent */
export function wholeNumber(value: number, what: string): bigint {
  if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new BoxError('INVALID_ARGUMENT', `${what}: ${value} is not a whole number of at least 0`);
}

function oneOf<T extends string>(values: readonly T[], value: string, what: string): T {
  const found = values.find((known) => known === value);
  if (found !== undefined) return found;
  throw new BoxError('SUPERVISOR_INCOMPATIBLE', `${what} "${value}" is not known to this client`);
}
