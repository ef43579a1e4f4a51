import { closeSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { BoxError } from '../errors/box-error.js';
import { makePublicDirectory } from './public-directory.js';

/** Names a file without any right to its contents; Node has no name for it. */
const O_PATH = 0o10000000;

/** A file or directory of the host, held so that it cannot become another one. */
export interface ShareSource {
  readonly descriptor: number;
  /** Where it is, without symbolic links. */
  readonly path: string;
}

/**
 * Opens what is to be shared. What is opened is what is shared, whatever is put in its place afterwards.
 *
 * @param path absolute @param make makes a directory where there is nothing
 * @returns its descriptor is the caller's to close
 * @throws NOT_FOUND, PERMISSION_DENIED, UNSUPPORTED for what is neither a file nor a directory
 */
export async function openShareSource(path: string, make: boolean): Promise<ShareSource> {
  if (make) await makeDirectory(path);
  const descriptor = open(path);
  try {
    const status = fstatSync(descriptor);
    if (!status.isDirectory() && !status.isFile()) {
      throw new BoxError('UNSUPPORTED', `bind source "${path}" is neither a directory nor a file`, {
        hint: 'sockets, pipes and devices of the host have no meaning in a virtual machine',
      });
    }
    return { descriptor, path: readlinkSync(`/proc/self/fd/${descriptor}`) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function open(path: string): number {
  try {
    return openSync(path, O_PATH);
  } catch (cause) {
    throw sourceError(path, cause);
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await makePublicDirectory(path);
  } catch (cause) {
    // A file is a source, too.
    if (codeOf(cause) !== 'EEXIST') throw sourceError(path, cause);
  }
}

function sourceError(path: string, cause: unknown): BoxError {
  const code = codeOf(cause);
  if (code === 'EACCES' || code === 'EPERM') {
    return new BoxError('PERMISSION_DENIED', `bind source "${path}" cannot be reached`, {
      hint: 'the supervisor has the rights of the user who started it',
      cause,
    });
  }
  return new BoxError('NOT_FOUND', `bind source path does not exist: ${path}`, {
    hint: 'make it first, or use -v, which makes a directory',
    cause,
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
