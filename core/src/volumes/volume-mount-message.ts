import { BoxError } from '../errors/box-error.js';
import { VolumeMount as VolumeMountMessage } from '../gen/a3s/box/supervisor/v1/volumes.js';
import type { VolumeMount } from './volume-mount.js';

/** @throws INVALID_ARGUMENT for a kind of mount that there is not */
export function volumeMountFrom(message: VolumeMountMessage): VolumeMount {
  const { kind, source, target, readOnly, makeSource, noCopy, anonymous } = message;
  if (kind !== 'bind' && kind !== 'volume') {
    throw new BoxError('INVALID_ARGUMENT', `mount of type "${kind}" is not known`, { hint: 'give bind or volume' });
  }
  return {
    ...{ kind, source, target, readOnly },
    ...(makeSource && { makeSource }),
    ...(noCopy && { noCopy }),
    ...(anonymous && { anonymous }),
  };
}

export function volumeMountTo(mount: VolumeMount): VolumeMountMessage {
  return VolumeMountMessage.create({ ...mount });
}
