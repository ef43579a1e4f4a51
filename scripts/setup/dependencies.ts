/** Compares what is installed in node_modules with the lock file. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optional?: boolean;
  /** Of a link: the workspace's directory. */
  readonly resolved?: string;
}

type Lock = Readonly<Record<string, LockedPackage>>;

/**
 * Compares node_modules with what package-lock.json lists, by npm's own record of its last installation. Optional
 * packages (for other systems) may be absent or additional; any other package too many, a wrong version or a missing
 * folder is a difference.
 *
 * @returns the first difference; undefined when there is none
 */
export function dependencyDifference(root: string): string | undefined {
  let locked: Lock;
  let installed: Lock;
  try {
    locked = readLock(join(root, 'package-lock.json'));
    installed = readLock(join(root, 'node_modules/.package-lock.json'));
  } catch (error) {
    return (error as Error).message;
  }
  for (const [path, entry] of Object.entries(locked)) {
    if (!path.includes('node_modules/')) continue;
    const found = installed[path];
    if (found === undefined) {
      if (entry.optional !== true) return `${path} is in package-lock.json and was not installed`;
    } else if (found.version !== entry.version || found.integrity !== entry.integrity || found.link !== entry.link) {
      return `${path} is not what package-lock.json says`;
    } else if (!existsSync(join(root, path))) {
      return `${path} is gone`;
    }
    const missing = entry.link === true ? missingCommand(root, entry.resolved ?? path) : undefined;
    if (missing !== undefined) return `the command ${missing} of ${entry.resolved} is not linked`;
  }
  const extra = Object.entries(installed).find(([path, entry]) => !(path in locked) && entry.optional !== true);
  return extra === undefined ? undefined : `${extra[0]} is not in package-lock.json`;
}

/** The first command of a workspace that has no link in node_modules/.bin. */
function missingCommand(root: string, directory: string): string | undefined {
  const manifest = JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8')) as {
    readonly bin?: Readonly<Record<string, string>>;
  };
  return Object.keys(manifest.bin ?? {}).find((name) => !existsSync(join(root, 'node_modules/.bin', name)));
}

function readLock(file: string): Lock {
  return (JSON.parse(readFileSync(file, 'utf8')) as { packages: Lock }).packages;
}
