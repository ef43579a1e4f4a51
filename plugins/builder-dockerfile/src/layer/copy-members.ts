import { BoxError, printable, type ImageFile, type ImageFiles } from '@a3s-box/core';
import { copyTarget, type CopyTarget } from './copy-target.js';
import type { LayerMember } from './layer-archive.js';

/** Something to copy, wherever it comes from. Paths hold one character a byte. */
export interface CopyEntry extends Omit<ImageFile, 'number'> {
  /** Relative to its source; empty for that itself. */
  readonly path: string;
  /** The bytes of a file. */
  content(): AsyncIterable<Uint8Array>;
}

export interface CopySource {
  /** What it is called where it comes from, for a target that is a directory. */
  readonly name: string;
  readonly isDirectory: boolean;
  /** Each directory before its content. */
  entries(): AsyncIterable<CopyEntry>;
}

export interface CopyOptions {
  /** Owner of all that is copied and of directories that are made for it. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Mode of all that is copied; absent: each its own. */
  readonly mode?: number;
  /** Whether directories above a source, as its name has them, come with it. */
  readonly parents: boolean;
  /** Time of directories that are made, seconds since the epoch. */
  readonly time: number;
}

export interface CopyRequest extends CopyOptions {
  readonly sources: readonly CopySource[];
  /** Absolute path; a slash at its end says that it is a directory. */
  readonly target: string;
}

/**
 * What a layer has to hold so that the sources lie in an image where a COPY wants them.
 * @throws BUILD_STEP_FAILED when something in the image is in the way
 */
export async function* copyMembers(image: Pick<ImageFiles, 'find'>, request: CopyRequest): AsyncGenerator<LayerMember> {
  const { sources, target } = request;
  const into = target.endsWith('/') || sources.length > 1 || request.parents || sources.some((it) => it.isDirectory);
  const place = copyTarget(image, target, into);
  const made = new Set<string>();
  for (const path of place.missing) {
    made.add(path);
    yield directory(path, request);
  }
  for (const source of sources) {
    for (const path of directoriesFor(source, place, request)) {
      if (made.has(path)) continue;
      made.add(path);
      const found = image.find(path);
      if (found === undefined) yield directory(path, request);
      else if (found.type !== 'directory') throw inTheWay(path, 'a directory');
    }
    for await (const entry of source.entries()) {
      const path = placeOf(entry, source, place, request);
      // The content of a directory is copied, not itself.
      if (path === undefined) continue;
      const found = image.find(path);
      if (found !== undefined && (found.type === 'directory') !== (entry.type === 'directory')) {
        throw inTheWay(path, entry.type === 'directory' ? 'a directory' : 'no directory');
      }
      yield member(entry, path, request);
    }
  }
}

/** With --parents: the directories above a source, below the target. */
function directoriesFor(
  { name, isDirectory }: CopySource,
  { directory: at }: CopyTarget,
  { parents }: CopyRequest,
): string[] {
  if (!parents) return [];
  const parts = name.split('/').filter((part) => part !== '');
  const above = isDirectory ? parts : parts.slice(0, -1);
  return above.map((_, index) => joined(at, above.slice(0, index + 1).join('/')));
}

function placeOf(
  entry: CopyEntry,
  source: CopySource,
  place: CopyTarget,
  { parents }: CopyRequest,
): string | undefined {
  if (source.isDirectory) {
    if (entry.path === '') return undefined;
    return joined(place.directory, joined(parents ? source.name : '', entry.path));
  }
  const own = source.name.slice(source.name.lastIndexOf('/') + 1);
  return joined(place.directory, place.name ?? (parents ? source.name : own));
}

function member(entry: CopyEntry, path: string, { owner, mode }: CopyOptions): LayerMember {
  const { type, mtime, mtimeNanoseconds, size, target, deviceMajor, deviceMinor, xattrs } = entry;
  return {
    ...owner,
    type,
    name: path,
    // A link has no mode of its own.
    mode: type === 'symlink' ? 0o777 : (mode ?? entry.mode),
    mtime,
    mtimeNanoseconds,
    deviceMajor,
    deviceMinor,
    xattrs,
    ...(type === 'symlink' && { linkName: target }),
    ...(type === 'file' && { size, content: () => entry.content() }),
  };
}

function directory(name: string, { owner, time }: CopyOptions): LayerMember {
  return { ...owner, type: 'directory', name, mode: 0o755, mtime: time };
}

function joined(directory: string, name: string): string {
  if (directory === '') return name;
  return name === '' ? directory : `${directory}/${name}`;
}

function inTheWay(path: string, wanted: string): BoxError {
  return new BoxError('BUILD_STEP_FAILED', `/${printable(path)} is in the way: what is copied there is ${wanted}`, {
    hint: 'remove it in a step before, or choose another target',
  });
}
