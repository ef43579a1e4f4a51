import { BoxError } from '../errors/box-error.js';
import type { VolumeMount } from '../volumes/volume-mount.js';

/**
 * The mounts of a box that is made of a snapshot. A snapshot names volumes and does not hold them: those with a name, and
 * binds, are shared with the box that it is of; what was made for that box is made anew.
 *
 * @param exists whether there is a volume of a name
 * @throws NOT_FOUND for a volume that is gone: in its place an empty one would look like lost data
 */
export function restoredMounts(
  mounts: readonly VolumeMount[],
  exists: (name: string) => boolean,
): readonly VolumeMount[] {
  return mounts.map((mount) => {
    if (mount.kind !== 'volume') return mount;
    const { anonymous, ...named } = mount;
    if (anonymous === true) return { ...named, source: '' };
    if (exists(mount.source)) return named;
    throw new BoxError('NOT_FOUND', `volume ${mount.source} of the snapshot is not there any more`, {
      hint: `to go on with an empty one: a3s-box volume create ${mount.source}`,
    });
  });
}
