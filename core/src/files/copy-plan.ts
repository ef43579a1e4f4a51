/**
 * What a copy makes of its two ends, as `docker cp` has it: whether the source goes into the destination or becomes it.
 * Paths have slashes, also those of the host once they were made so.
 */
import { BoxError } from '../errors/box-error.js';

export interface CopySource {
  readonly path: string;
  readonly isDirectory: boolean;
  /** What it is called instead of its path's last name: of a link that was followed. */
  readonly name?: string;
}

export interface CopyDestination {
  readonly path: string;
  /** What is there, links followed; absent for nothing. */
  readonly existing?: 'directory' | 'other';
}

export interface CopyPlan {
  /** Where the source is put. */
  readonly directory: string;
  /** What it is called there; `.` for the contents of a directory. */
  readonly name: string;
}

/** @throws INVALID_ARGUMENT, NOT_FOUND where `docker cp` refuses */
export function planCopy(source: CopySource, destination: CopyDestination): CopyPlan {
  const { path, existing } = destination;
  if (existing === 'directory') return { directory: path, name: source.name ?? lastName(source.path) };
  if (existing === 'other' && source.isDirectory) {
    throw new BoxError('INVALID_ARGUMENT', `cannot copy a directory: "${path}" is a file`, {
      hint: 'name a directory, or one that is not there yet',
    });
  }
  if (assertsDirectory(path) && (existing === 'other' || !source.isDirectory)) {
    throw existing === 'other'
      ? new BoxError('INVALID_ARGUMENT', `"${path}" is not a directory`)
      : new BoxError('NOT_FOUND', `there is no directory "${path}"`, {
          hint: 'make it first, or leave the "/" at the end out to name the file so',
        });
  }
  return { directory: parentOf(path), name: lastName(path) };
}

/** The last name of a path; `.` where it ends in `/.` or is the root. */
export function lastName(path: string): string {
  if (path === '.' || path.endsWith('/.')) return '.';
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1) || '.';
}

/** The path without its last name. */
export function parentOf(path: string): string {
  const trimmed = path.replace(/(\/\.?)+$/, '');
  const slash = trimmed.lastIndexOf('/');
  if (slash < 0) return '.';
  return trimmed.slice(0, slash) || '/';
}

/** Where a link leads, whose path is given. */
export function linkedPath(path: string, target: string): string {
  return target.startsWith('/') ? target : `${parentOf(path)}/${target}`;
}

export function assertsDirectory(path: string): boolean {
  return path.endsWith('/') || path.endsWith('/.') || path === '.';
}
