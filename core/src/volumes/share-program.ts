import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { promisify } from 'node:util';
import { bundledVirtiofsdPath } from '@a3s-box/native';
import { BoxError } from '../errors/box-error.js';

/** The first version that translates owners. */
const LEAST = [1, 13] as const;
const NAME = 'virtiofsd';
/** Distributions put it where PATH does not lead. */
const DIRECTORIES = ['/usr/libexec', '/usr/lib', '/usr/local/libexec', '/usr/local/bin', '/usr/bin'] as const;

const HINT =
  "install the Rust virtiofsd 1.13 or newer: your system's package of that name, or `cargo install --locked virtiofsd`, " +
  'and name it in A3S_BOX_VIRTIOFSD where it is not in PATH; a checkout has it after `sh scripts/setup.sh --tests`';

export interface ShareProgramSearch {
  /** Absolute path that the user named. */
  readonly configured?: string | undefined;
  /** The one that came with the product. */
  readonly bundled: string;
  /** As the environment has it. */
  readonly path: string;
}

/** Looks for it until it was found once. @param search what was configured */
export function installedShareProgram(search: Partial<Pick<ShareProgramSearch, 'configured' | 'path'>> = {}): {
  find(): Promise<string>;
} {
  let found: Promise<string> | undefined;
  return {
    find: () => {
      found ??= findShareProgram({ path: '', ...search, bundled: bundledVirtiofsdPath() }).catch((error: unknown) => {
        found = undefined;
        throw error;
      });
      return found;
    },
  };
}

/**
 * Finds the file server: the one that was named, and no other; else the product's own, the system's, and that in PATH.
 *
 * @returns absolute path
 * @throws BACKEND_UNAVAILABLE when there is none, or none that is new enough
 */
export async function findShareProgram(search: ShareProgramSearch): Promise<string> {
  const { configured, bundled, path } = search;
  const others = [...DIRECTORIES, ...path.split(':').filter((directory) => directory.startsWith('/'))];
  const places =
    configured === undefined ? [bundled, ...others.map((directory) => `${directory}/${NAME}`)] : [configured];
  const refused: string[] = [];
  for (const place of new Set(places.filter(isExecutable))) {
    const version = await versionOf(place);
    if (version !== undefined && isEnough(version)) return place;
    refused.push(`${place} is ${version === undefined ? 'not the Rust virtiofsd' : `version ${version}`}`);
  }
  const found = refused.length > 0 ? refused.join('; ') : `${configured ?? NAME} was not found`;
  throw new BoxError('BACKEND_UNAVAILABLE', `directories of the host cannot be shared: ${found}`, { hint: HINT });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { env: {}, timeout: 10_000 });
    return /^virtiofsd ([0-9]+(?:\.[0-9]+)+)/.exec(stdout)?.[1];
  } catch {
    // One that cannot be asked is none.
    return undefined;
  }
}

function isEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]);
}
