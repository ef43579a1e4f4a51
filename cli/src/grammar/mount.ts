import { BoxError } from '@a3s-box/core';
import type { TmpfsMount } from '@a3s-box/core/client';
import { MountFields } from './mount-fields.js';
import { bind, volume, type HostMount } from './mount-volume.js';
import { parseSize } from './values.js';

/** What a `--mount` asks for, by its type. */
export type Mount = HostMount | { readonly type: 'tmpfs'; readonly mount: TmpfsMount };

/** Readers by type. Each takes the fields that it knows; the rest is refused. */
const KINDS: Readonly<Record<string, (fields: MountFields) => Mount>> = { bind, volume, tmpfs };
/** Docker's, where none is given. */
const DEFAULT_TYPE = 'volume';
/** Types of Docker's that are refused, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  cluster: 'there are no swarms here',
  image: 'images are not mounted into boxes',
  npipe: 'named pipes are for Windows containers only',
};

/** Value of `--mount`. @throws INVALID_ARGUMENT, UNSUPPORTED for a type of Docker's that is refused */
export function parseMount(text: string): Mount {
  const fields = new MountFields(text);
  const type = fields.take('type')?.toLowerCase() ?? DEFAULT_TYPE;
  const read = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (read) {
    const mount = read(fields);
    fields.finish(type);
    return mount;
  }
  const reason = Object.hasOwn(REFUSED, type) ? REFUSED[type] : undefined;
  if (reason === undefined) throw new BoxError('INVALID_ARGUMENT', `type "${type}" of a mount is not known`);
  throw new BoxError('UNSUPPORTED', `a mount of type ${type} is not supported: ${reason}`);
}

function tmpfs(fields: MountFields): Mount {
  if (fields.take('source') !== undefined) throw new BoxError('INVALID_ARGUMENT', 'a tmpfs has no source');
  const size = fields.take('tmpfs-size');
  const mode = fields.take('tmpfs-mode');
  if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode))
    throw new BoxError('INVALID_ARGUMENT', `field "tmpfs-mode" is no mode such as 1770: ${mode}`);
  const readOnly = fields.takeSwitch('readonly');
  return {
    type: 'tmpfs',
    mount: {
      target: fields.require('target'),
      ...(readOnly && { readOnly }),
      ...(size !== undefined && { sizeBytes: parseSize(size) }),
      ...(mode !== undefined && { mode: Number.parseInt(mode, 8) }),
    },
  };
}
