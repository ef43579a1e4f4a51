/** What `inspect` prints of a box: Docker's fields where there are some, then our own. */
import type { BoxHealth, BoxRecord, HealthcheckSpec, VolumeMount } from '@a3s-box/core/client';
import { containerConfig, containerHostConfig } from './container-details.js';
import { codeOf, isUp } from './box-status.js';
import { mountDetails } from './mount-details.js';
import { portMap } from './port-text.js';

/** Go's time before there was one. */
const NEVER = '0001-01-01T00:00:00Z';
const NS_PER_MS = 1_000_000;

export function boxDetails(box: BoxRecord): object {
  const { spec } = box;
  return {
    Id: box.id,
    Created: box.created.toISOString(),
    Path: box.arguments[0] ?? '',
    Args: box.arguments.slice(1),
    State: stateOf(box),
    Image: box.imageId,
    Name: box.name,
    RestartCount: box.restartCount,
    LogPath: box.logPath ?? '',
    Config: {
      Hostname: spec.hostname ?? '',
      User: spec.user ?? '',
      Tty: spec.terminal,
      OpenStdin: spec.stdinOpen,
      StdinOnce: spec.stdinOpen && spec.stdinKept !== true,
      Env: spec.environment,
      Cmd: spec.command ?? null,
      Image: spec.image,
      WorkingDir: spec.workingDirectory ?? '',
      Entrypoint: spec.entrypoint ?? null,
      Labels: new Map(Object.entries(spec.labels)),
      StopSignal: spec.stopSignal ?? '',
      ...containerConfig(spec),
      ...(spec.healthcheck && { Healthcheck: healthcheckOf(spec.healthcheck) }),
    },
    HostConfig: {
      Memory: spec.memoryBytes ?? box.memoryBytes,
      NanoCpus: spec.nanoCpus ?? box.vcpus * 1e9,
      AutoRemove: spec.autoRemove,
      NetworkMode: box.network,
      Binds: (spec.volumes ?? []).map(bindText),
      VolumesFrom: spec.volumesFrom ?? null,
      StorageOpt: spec.storageBytes === undefined ? null : new Map([['size', String(spec.storageBytes)]]),
      RestartPolicy: { Name: spec.restart?.name ?? 'no', MaximumRetryCount: spec.restart?.maximumRetries ?? 0 },
      LogConfig: { Type: spec.log?.driver ?? 'json-file', Config: new Map(Object.entries(spec.log?.options ?? {})) },
      PortBindings: portMap(spec.ports ?? [], ({ hostPort }) => (hostPort === 0 ? '' : String(hostPort))),
      ...containerHostConfig(spec),
    },
    Mounts: (spec.volumes ?? []).map(mountDetails),
    NetworkSettings: {
      Ports: portMap(box.ports),
      Networks: new Map(box.network === 'none' || box.network === '' ? [] : [[box.network, endpointOf(box.addresses)]]),
    },
    Platform: spec.platform ?? '',
    Backend: box.backend,
    Acceleration: box.acceleration,
    Cloned: box.cloned,
    Vcpus: box.vcpus,
    TimeoutMs: spec.timeoutMs ?? null,
    Generation: box.generation,
  };
}

/** As `-v` takes it. */
function bindText({ source, target, readOnly }: VolumeMount): string {
  return `${source}:${target}${readOnly ? ':ro' : ''}`;
}

function stateOf(box: BoxRecord): object {
  const { state, exit, vmmPid, started, finished, pausedBecause } = box;
  return {
    Status: state,
    Running: isUp(box),
    Paused: state === 'paused',
    PausedBecause: pausedBecause ?? '',
    Restarting: state === 'restarting',
    OOMKilled: exit?.outOfMemory ?? false,
    Dead: state === 'dead',
    Pid: vmmPid ?? 0,
    // Null until it has ended, and where its end is not known: nothing that looks like success.
    ExitCode: (exit && codeOf(exit)) ?? null,
    Error: box.startError ?? exit?.reason ?? '',
    StartedAt: started?.toISOString() ?? NEVER,
    FinishedAt: finished?.toISOString() ?? NEVER,
    ...(box.health && { Health: healthOf(box.health) }),
  };
}

function healthOf({ status, failingStreak, log }: BoxHealth): object {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: start.toISOString(),
      End: end.toISOString(),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

/** Docker has nanoseconds. */
function healthcheckOf(healthcheck: HealthcheckSpec): object {
  const { test, intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries } = healthcheck;
  return {
    ...(test && { Test: test }),
    ...(intervalMs !== undefined && { Interval: intervalMs * NS_PER_MS }),
    ...(timeoutMs !== undefined && { Timeout: timeoutMs * NS_PER_MS }),
    ...(startPeriodMs !== undefined && { StartPeriod: startPeriodMs * NS_PER_MS }),
    ...(startIntervalMs !== undefined && { StartInterval: startIntervalMs * NS_PER_MS }),
    ...(retries !== undefined && { Retries: retries }),
  };
}

function endpointOf(addresses: readonly string[]): object {
  const [address = '', length = ''] = split(addresses.find((one) => !one.includes(':')));
  const [address6 = '', length6 = ''] = split(addresses.find((one) => one.includes(':')));
  return {
    IPAddress: address,
    IPPrefixLen: Number(length),
    GlobalIPv6Address: address6,
    GlobalIPv6PrefixLen: Number(length6),
  };
}

function split(address = ''): readonly string[] {
  return address.split('/');
}
