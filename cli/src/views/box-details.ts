/** What `inspect` prints of a box: Docker's fields where there are some, then our own. */
import type { BoxHealth, BoxRecord } from '@a3s-box/core/client';
import { codeOf, isUp } from './box-status.js';
import { mountDetails } from './mount-details.js';
import { portMap } from './port-text.js';
import { configOf, hostConfigOf } from './spec-details.js';

/** Go's time before there was one. */
const NEVER = '0001-01-01T00:00:00Z';

/** @param mountpoints of the home's volumes, by name */
export function boxDetails(box: BoxRecord, mountpoints: ReadonlyMap<string, string>): object {
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
    Config: configOf(spec),
    HostConfig: {
      NetworkMode: box.network,
      ...hostConfigOf(spec, { memoryBytes: box.memoryBytes, vcpus: box.vcpus }),
    },
    Mounts: (spec.volumes ?? []).map((mount) => mountDetails(mount, mountpoints)),
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
