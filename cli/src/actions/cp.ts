import { BoxError } from '@a3s-box/core';
import { BoxClient, type BoxPath } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { cpFlags } from '../commands/cp.js';
import type { Invocation } from '../invocation.js';
import { humanSize } from '../views/human-size.js';
import { Interruption } from './interruption.js';
import { printArchive } from './print-archive.js';

/** One end of a copy. */
type End = { readonly kind: 'box'; readonly at: BoxPath } | { readonly kind: 'host'; readonly path: string } | 'stream';

interface Copy {
  readonly client: BoxClient;
  readonly options: { readonly archive: boolean; readonly followLink: boolean; readonly signal: AbortSignal };
}

/** `cp`. */
export async function copyFiles(
  { flags, args: [from = '', to = ''] }: Input<typeof cpFlags>,
  invocation: Invocation,
): Promise<number> {
  const [source, destination] = [endOf(from), endOf(to)];
  if (destination === 'stream' && process.stdout.isTTY) {
    throw new BoxError('INVALID_ARGUMENT', 'cp: an archive is not for a terminal', {
      hint: 'pass it on to another program, or name a file in the place of "-"',
    });
  }
  using interruption = new Interruption();
  const bytes = await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    const options = { archive: flags.archive, followLink: flags['follow-link'], signal };
    return await copy(source, destination, { client, options });
  });
  if (bytes !== undefined && !flags.quiet) {
    process.stderr.write(`Successfully copied ${humanSize(bytes)} to ${to}\n`);
  }
  return 0;
}

/** @returns bytes of files; nothing for an archive on stdout */
async function copy(source: End, destination: End, { client, options }: Copy): Promise<number | undefined> {
  const { files } = client;
  if (source === 'stream' && typeof destination === 'object' && destination.kind === 'box') {
    return files.extract(destination.at, process.stdin, options);
  }
  if (typeof source === 'object' && source.kind === 'box') {
    if (destination === 'stream') {
      await printArchive(files.archive(source.at, options));
      return undefined;
    }
    if (destination.kind === 'box') return files.copyBetween(source.at, destination.at, options);
    return files.copyOut(source.at, destination.path, options);
  }
  if (typeof source === 'object' && typeof destination === 'object' && destination.kind === 'box') {
    return files.copyIn(source.path, destination.at, options);
  }
  throw new BoxError('INVALID_ARGUMENT', 'cp: neither source nor destination is in a box', {
    hint: 'name one as BOX:PATH',
  });
}

/**
 * Which end an argument names: `BOX:PATH`, unless it begins as paths do.
 * @throws INVALID_ARGUMENT
 */
export function endOf(argument: string): End {
  if (argument === '-') return 'stream';
  if (argument === '') throw new BoxError('INVALID_ARGUMENT', 'cp: a path is empty');
  const colon = argument.indexOf(':');
  const isPath = /^[./]/.test(argument) || (process.platform === 'win32' && /^[A-Za-z]:[\\/]/.test(argument));
  if (colon < 0 || isPath) return { kind: 'host', path: argument };
  const [box, path] = [argument.slice(0, colon), argument.slice(colon + 1)];
  if (box === '' || path === '') {
    throw new BoxError('INVALID_ARGUMENT', `cp: "${argument}" lacks the ${box === '' ? 'box' : 'path'} of BOX:PATH`);
  }
  return { kind: 'box', at: { box, path } };
}
