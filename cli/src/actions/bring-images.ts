import { createReadStream, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { BoxError } from '@a3s-box/core';
import { BoxClient, type ImageRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { importFlags } from '../commands/import.js';
import type { loadFlags } from '../commands/load.js';
import type { pullFlags } from '../commands/pull.js';
import type { Invocation } from '../invocation.js';
import { dockerCredentials } from './docker-credentials.js';
import { progressOf } from './progress-lines.js';

/** `pull`. */
export async function pullImage({ flags, args }: Input<typeof pullFlags>, invocation: Invocation): Promise<number> {
  const [reference = ''] = args;
  using client = await BoxClient.connect(invocation);
  const image = await client.images.pull(reference, {
    plainHttp: flags['plain-http'],
    credentials: dockerCredentials(invocation).find,
    ...progressOf(flags.quiet),
    ...(flags.platform !== undefined && { platform: flags.platform }),
  });
  process.stdout.write(flags.quiet ? `${image.id}\n` : `Digest: ${image.digest}\n${nameOf(image)}\n`);
  return 0;
}

/** `load`. */
export async function loadImages({ flags }: Input<typeof loadFlags>, invocation: Invocation): Promise<number> {
  const { input, quiet } = flags;
  if (input === undefined && process.stdin.isTTY) {
    throw new BoxError('INVALID_ARGUMENT', 'load: stdin is a terminal, and no archive was named', {
      hint: 'give one: a3s-box load -i FILE',
    });
  }
  const path = input === undefined ? undefined : resolve(input);
  const isDirectory = path !== undefined && entryOf(path).isDirectory();
  using client = await BoxClient.connect(invocation);
  const images = isDirectory
    ? await client.images.loadDirectory(path, progressOf(quiet))
    : await client.images.load(path === undefined ? process.stdin : createReadStream(path), progressOf(quiet));
  for (const image of images) process.stdout.write(`Loaded image: ${nameOf(image)}\n`);
  return 0;
}

/** `import`. */
export async function importImage({ flags, args }: Input<typeof importFlags>, invocation: Invocation): Promise<number> {
  const [file = '', name] = args;
  if (file !== '-') entryOf(resolve(file));
  const source = file === '-' ? process.stdin : createReadStream(resolve(file));
  using client = await BoxClient.connect(invocation);
  const { quiet, change: changes, message, platform } = flags;
  const options = {
    ...progressOf(quiet),
    changes,
    ...(name !== undefined && { name }),
    ...(message !== undefined && { message }),
    ...(platform !== undefined && { platform }),
  };
  process.stdout.write(`${(await client.images.import(source, options)).id}\n`);
  return 0;
}

function nameOf({ names, id }: ImageRecord): string {
  return names[0] ?? id;
}

/** @throws NOT_FOUND, PERMISSION_DENIED */
function entryOf(path: string) {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (entry) return entry;
  throw new BoxError('NOT_FOUND', `there is no file ${path}`);
}
