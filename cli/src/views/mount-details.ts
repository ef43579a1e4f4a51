import type { VolumeMount } from '@a3s-box/core/client';

/** One of `Mounts`, with Docker's names. */
export function mountDetails({ kind, source, target, readOnly }: VolumeMount): object {
  return {
    Type: kind,
    ...(kind === 'volume' && { Name: source }),
    Source: kind === 'bind' ? source : '',
    Destination: target,
    ...(kind === 'volume' && { Driver: 'local' }),
    Mode: readOnly ? 'ro' : '',
    RW: !readOnly,
    Propagation: kind === 'bind' ? 'rprivate' : '',
  };
}
