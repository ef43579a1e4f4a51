/** `--mount` of the types bind and volume. */
import { resolve } from 'node:path';
import { BoxError } from '@a3s-box/core';
import type { VolumeMount } from '@a3s-box/core/client';
import type { MountFields } from './mount-fields.js';
import { checkPropagation } from './volume-flag.js';

export type HostMount = { readonly type: 'bind' | 'volume'; readonly mount: VolumeMount };

/** Docker's fields that have no meaning here, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  consistency: 'a box sees the host as it is',
  'bind-nonrecursive': 'what is mounted below a source is part of it',
  'bind-recursive': 'what is mounted below a source is part of it, and as read-only as the source',
  'volume-driver': 'volumes are directories and disks of this host',
  'volume-opt': "make the volume first, with 'a3s-box volume create'",
  'volume-label': "make the volume first, with 'a3s-box volume create'",
  'volume-subpath': 'a volume is mounted as a whole',
};

/** `type=bind`. The source has to be there. */
export function bind(fields: MountFields): HostMount {
  const source = resolve(fields.require('source'));
  const propagation = fields.take('bind-propagation');
  if (propagation !== undefined) checkPropagation(propagation);
  const makeSource = fields.takeSwitch('bind-create-src');
  return { type: 'bind', mount: { kind: 'bind', source, ...where(fields), ...(makeSource && { makeSource }) } };
}

/** `type=volume`. Without a source, one is made for the box. */
export function volume(fields: MountFields): HostMount {
  const source = fields.take('source') ?? '';
  const noCopy = fields.takeSwitch('volume-nocopy');
  return { type: 'volume', mount: { kind: 'volume', source, ...where(fields), ...(noCopy && { noCopy }) } };
}

function where(fields: MountFields): Pick<VolumeMount, 'target' | 'readOnly'> {
  for (const [name, reason] of Object.entries(REFUSED)) {
    if (fields.take(name) === undefined) continue;
    throw new BoxError('UNSUPPORTED', `field "${name}" of a mount is not supported: ${reason}`);
  }
  return { target: fields.require('target'), readOnly: fields.takeSwitch('readonly') };
}
