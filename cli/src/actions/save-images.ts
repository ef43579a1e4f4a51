import { resolve } from 'node:path';
import { BoxError } from '@a3s-box/core';
import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { saveFlags } from '../commands/save.js';
import type { Invocation } from '../invocation.js';
import { printArchive, writeArchive } from './print-archive.js';

/** `save`. */
export async function saveImages({ flags, args }: Input<typeof saveFlags>, invocation: Invocation): Promise<number> {
  if (flags.output === undefined && process.stdout.isTTY) {
    throw new BoxError('INVALID_ARGUMENT', 'save: an archive is not for a terminal', {
      hint: 'name a file: a3s-box save -o FILE IMAGE',
    });
  }
  using client = await BoxClient.connect(invocation);
  const archive = client.images.save(args);
  if (flags.output !== undefined) await writeArchive(archive, resolve(flags.output));
  else await printArchive(archive);
  return 0;
}
