import { BoxError, printable, type ImageFiles } from '@a3s-box/core';

/** Where what is copied goes. Paths are those of the image: from the root, without links, one character a byte. */
export interface CopyTarget {
  /** The directory that it goes to. */
  readonly directory: string;
  /** What a single file is called there; absent: as it is called. */
  readonly name?: string;
  /** Directories that are not there yet, each behind the one that it is in. */
  readonly missing: readonly string[];
}

/**
 * Finds where a COPY goes.
 * @param path absolute path @param directory whether it has to be a directory: its name ends with a slash, or there are several
 * sources, or one that is a directory
 * @throws BUILD_STEP_FAILED when something that is no directory is in the way
 */
export function copyTarget(image: Pick<ImageFiles, 'find'>, path: string, directory: boolean): CopyTarget {
  const parts = path.split('/').filter((part) => part !== '');
  const missing: string[] = [];
  let at = '';
  for (const [index, part] of parts.entries()) {
    const next = at === '' ? part : `${at}/${part}`;
    const last = index === parts.length - 1;
    // Below what is not there, nothing is.
    const found = missing.length > 0 ? undefined : image.find(next);
    if (last && !directory && found?.type !== 'directory') {
      return { missing, ...split(found?.path ?? next) };
    }
    if (found !== undefined && found.type !== 'directory') {
      throw new BoxError(
        'BUILD_STEP_FAILED',
        `/${printable(found.path)} is no directory, and the target ${printable(path)} needs one`,
      );
    }
    at = found?.path ?? next;
    if (found === undefined) missing.push(at);
  }
  return { directory: at, missing };
}

function split(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { directory: slash < 0 ? '' : path.slice(0, slash), name: path.slice(slash + 1) };
}
