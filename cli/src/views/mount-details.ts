import type { VolumeMount } from '@a3s-box/core/client';

/** One of `Mounts`, with Docker's names. @param mountpoints of the home's volumes, by name */
export function mountDetails(
  { kind, source, target, readOnly }: VolumeMount,
  mountpoints: ReadonlyMap<string, string>,
): object {
  return {
    Type: kind,
    ...(kind === 'volume' && { Name: source }),
    Source: kind === 'bind' ? source : (mountpoints.get(source) ?? ''),
    Destination: target,
    ...(kind === 'volume' && { Driver: 'local' }),
    Mode: readOnly ? 'ro' : '',
    RW: !readOnly,
    Propagation: kind === 'bind' ? 'rprivate' : '',
  };
}
