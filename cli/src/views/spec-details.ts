/** What `inspect` prints of a box's settings, with Docker's names. */
import type { BoxSpec, HealthcheckSpec, VolumeMount } from '@a3s-box/core/client';
import { containerConfig, containerHostConfig } from './container-details.js';
import { portMap } from './port-text.js';

const NS_PER_MS = 1_000_000;

export function configOf(spec: BoxSpec): object {
  return {
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
  };
}

/** @param given what the box has where its settings say nothing; absent: 0, as Docker has it */
export function hostConfigOf(
  spec: BoxSpec,
  given: { readonly memoryBytes: number; readonly vcpus: number } = { memoryBytes: 0, vcpus: 0 },
): object {
  return {
    Memory: spec.memoryBytes ?? given.memoryBytes,
    NanoCpus: spec.nanoCpus ?? given.vcpus * 1e9,
    AutoRemove: spec.autoRemove,
    Binds: (spec.volumes ?? []).map(bindText),
    VolumesFrom: spec.volumesFrom ?? null,
    StorageOpt: spec.storageBytes === undefined ? null : new Map([['size', String(spec.storageBytes)]]),
    RestartPolicy: { Name: spec.restart?.name ?? 'no', MaximumRetryCount: spec.restart?.maximumRetries ?? 0 },
    LogConfig: { Type: spec.log?.driver ?? 'json-file', Config: new Map(Object.entries(spec.log?.options ?? {})) },
    PortBindings: portMap(spec.ports ?? [], ({ hostPort }) => (hostPort === 0 ? '' : String(hostPort))),
    ...containerHostConfig(spec),
  };
}

/** As `-v` takes it. */
function bindText({ source, target, readOnly }: VolumeMount): string {
  return `${source}:${target}${readOnly ? ':ro' : ''}`;
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
