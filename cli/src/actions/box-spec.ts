import { BoxError } from '@a3s-box/core';
import type { BoxSpec } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { boxFlags } from '../commands/box-flags.js';
import { environmentOf } from '../grammar/environment.js';
import { labelsOf } from '../grammar/label-file.js';
import type { Invocation } from '../invocation.js';
import { containerOptionsOf } from './container-options.js';
import { healthcheckOf } from './healthcheck.js';
import { terminalSize } from './terminal.js';

/** What `run` or `create` was asked for. @throws INVALID_ARGUMENT, UNSUPPORTED */
export function boxSpecOf({ flags, args }: Input<typeof boxFlags>, { environment }: Invocation): BoxSpec {
  const [image = '', ...command] = args;
  const { name, workdir, user, hostname, cpus, memory, timeout, platform, entrypoint } = flags;
  const backend = chosenBackend(flags.backend, environment);
  const stopSignal = flags['stop-signal'];
  const network = onlyNetwork(flags.network);
  const options = containerOptionsOf(flags);
  const size = flags.tty ? terminalSize() : undefined;
  const { restart } = flags;
  if (flags.rm && restart !== undefined && restart !== 'no') {
    throw new BoxError('INVALID_ARGUMENT', 'conflicting options: cannot specify both --restart and --rm');
  }
  return {
    image,
    ...(command.length > 0 && { command }),
    ...(entrypoint !== undefined && { entrypoint: entrypoint === '' ? [] : [entrypoint] }),
    environment: environmentOf(flags['env-file'], flags.env, environment),
    terminal: flags.tty,
    ...(size && { terminalSize: size }),
    stdinOpen: flags.interactive,
    autoRemove: flags.rm,
    labels: Object.fromEntries([...labelsOf(flags['label-file']), ...flags.label]),
    ...(name !== undefined && { name }),
    ...(workdir !== undefined && { workingDirectory: workdir }),
    ...(user !== undefined && { user }),
    ...(hostname !== undefined && { hostname }),
    ...(cpus !== undefined && { nanoCpus: cpus }),
    ...(memory !== undefined && { memoryBytes: memory }),
    ...(timeout !== undefined && { timeoutMs: timeout }),
    ...(backend !== undefined && { backend }),
    ...(platform !== undefined && { platform }),
    ...(stopSignal !== undefined && { stopSignal }),
    ...(network !== undefined && { network }),
    ...(flags.publish.length > 0 && { ports: flags.publish }),
    ...(options && { options }),
    ...storageOf(flags),
    ...(restart !== undefined && restart !== 'no' && { restart }),
    ...logOf(flags),
    ...healthcheckOf(flags),
  };
}

function storageOf(
  flags: Pick<Input<typeof boxFlags>['flags'], 'volume' | 'mount' | 'volumes-from' | 'storage-opt'>,
): Pick<BoxSpec, 'volumes' | 'volumesFrom' | 'storageBytes'> {
  const mounts = flags.mount.flatMap((mount) => (mount.type === 'tmpfs' ? [] : [mount.mount]));
  const volumes = [...flags.volume, ...mounts];
  const storageBytes = flags['storage-opt'].at(-1);
  return {
    ...(volumes.length > 0 && { volumes }),
    ...(flags['volumes-from'].length > 0 && { volumesFrom: flags['volumes-from'] }),
    ...(storageBytes !== undefined && { storageBytes }),
  };
}

function logOf(flags: Input<typeof boxFlags>['flags']): Pick<BoxSpec, 'log'> {
  const driver = flags['log-driver'];
  const options = flags['log-opt'];
  if (driver === undefined && options.length === 0) return {};
  return { log: { driver: driver ?? 'json-file', options: Object.fromEntries(options) } };
}

/** The backend that was asked for: by the option, else by the environment. */
export function chosenBackend(option: string | undefined, environment: Invocation['environment']): string | undefined {
  return option ?? (environment['A3S_BOX_BACKEND'] || undefined);
}

/** @throws UNSUPPORTED for more than one */
export function onlyNetwork([network, ...others]: readonly string[]): string | undefined {
  if (others.length === 0) return network;
  throw new BoxError('UNSUPPORTED', 'a box with several networks is not supported', { hint: 'give --network once' });
}
