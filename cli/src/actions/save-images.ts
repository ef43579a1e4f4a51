import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BoxError } from '@a3s-box/core';
import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { saveFlags } from '../commands/save.js';
import type { Invocation } from '../invocation.js';

/** `save`. */
export async function saveImages({ flags, args }: Input<typeof saveFlags>, invocation: Invocation): Promise<number> {
  if (flags.output === undefined && process.stdout.isTTY) {
    throw new BoxError('INVALID_ARGUMENT', 'save: an archive is not for a terminal', {
      hint: 'name a file: a3s-box save -o FILE IMAGE',
    });
  }
  using client = await BoxClient.connect(invocation);
  const archive = client.images.save(args);
  if (flags.output !== undefined) await writeFile(archive, resolve(flags.output));
  else for await (const piece of archive) if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  return 0;
}

/** The file appears when it is complete. */
async function writeFile(archive: AsyncIterable<Buffer>, path: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await pipeline(archive, createWriteStream(partial, { flags: 'wx' }));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
