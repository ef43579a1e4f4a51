import { resolve } from 'node:path';
import { BoxError } from '@a3s-box/core';
import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { exportFlags } from '../commands/export.js';
import type { Invocation } from '../invocation.js';
import { nameOf } from './each-box.js';
import { Interruption } from './interruption.js';
import { printArchive, writeArchive } from './print-archive.js';

/** `export`. */
export async function exportBox(
  { flags, args: [box = ''] }: Input<typeof exportFlags>,
  invocation: Invocation,
): Promise<number> {
  if (flags.output === undefined && process.stdout.isTTY) {
    throw new BoxError('INVALID_ARGUMENT', 'export: an archive is not for a terminal', {
      hint: 'name a file: a3s-box export -o FILE BOX',
    });
  }
  using interruption = new Interruption();
  await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    const archive = client.files.export(nameOf(box), { signal });
    if (flags.output === undefined) await printArchive(archive);
    else await writeArchive(archive, resolve(flags.output));
  });
  return 0;
}
