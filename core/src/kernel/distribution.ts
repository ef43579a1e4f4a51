import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { BoxError, isBoxError, type BoxErrorOptions } from '../errors/box-error.js';
import type { Settings } from './plugin-settings.js';
import { schemaProblems } from './schema-problems.js';
import { distribution as isDistribution } from './schema-validators.gen.js';

/** Where a plugin comes from: a package by name, or a directory (absolute path). */
export type PluginSource = { readonly required: boolean } & (
  { readonly kind: 'package'; readonly name: string } | { readonly kind: 'directory'; readonly path: string }
);

/** What an installation of A3S Box consists of (core/schema/distribution.schema.json). */
export interface Distribution {
  /** The file that it was read from. */
  readonly file: string;
  /** In order of precedence: where two provide the same name, the first keeps it. */
  readonly plugins: readonly PluginSource[];
  /** Name of the default provider, by port id. */
  readonly defaults: Readonly<Record<string, string>>;
  /** By plugin; users cannot change them. */
  readonly settings: Readonly<Record<string, Settings>>;
}

/** Where administrators put a distribution file. */
export const SYSTEM_DISTRIBUTION_FILE = '/etc/a3s-box/distribution.json';

export interface DistributionFiles {
  /** The file that was asked for (a host's `A3S_BOX_DISTRIBUTION`). Must exist when given. */
  readonly explicit?: string | undefined;
  /** The administrator's file, which need not exist. Default: {@link SYSTEM_DISTRIBUTION_FILE}. */
  readonly system?: string;
  /** The host's own file with the built-in set. */
  readonly builtIn: string;
  /** Whether a file can be changed by others, where its mode does not tell. Asked of the one that counts. */
  readonly letsOthersWrite?: (file: string) => boolean;
}

/**
 * Reads the distribution file that counts: the explicit one, else the administrator's, else the built-in one. A file
 * that is there and wrong is never replaced by the next.
 * @throws DISTRIBUTION_INVALID
 */
export async function findDistribution(files: DistributionFiles): Promise<Distribution> {
  const { explicit, system: systemFile = SYSTEM_DISTRIBUTION_FILE, letsOthersWrite } = files;
  checkWriters(explicit ?? systemFile, letsOthersWrite);
  if (explicit !== undefined) return await loadDistribution(explicit);
  const system = await loadIfPresent(systemFile);
  return system ?? (await loadDistribution(files.builtIn));
}

/** @throws DISTRIBUTION_INVALID */
function checkWriters(path: string, letsOthersWrite: DistributionFiles['letsOthersWrite']): void {
  const file = resolve(path);
  if (letsOthersWrite === undefined || !existsSync(file) || !letsOthersWrite(file)) return;
  throw invalid(file, 'other users may write to it', { hint: 'take that right from them, or the file away' });
}

/**
 * Reads a distribution file.
 * @throws DISTRIBUTION_INVALID with every problem in its message
 */
export async function loadDistribution(file: string): Promise<Distribution> {
  const distribution = await loadIfPresent(file);
  if (distribution === undefined) throw invalid(file, 'there is no such file');
  return distribution;
}

async function loadIfPresent(path: string): Promise<Distribution | undefined> {
  const file = resolve(path);
  const text = await readTrusted(file);
  if (text === undefined) return undefined;
  const document = parse(file, text);
  const problems = schemaProblems(isDistribution, document, 'distribution');
  if (problems.length > 0) throw invalid(file, problems.join('; '));
  const { plugins, defaults = {}, settings = {} } = document as DistributionDocument;
  return {
    file,
    plugins: plugins.map(({ required = false, ...source }) =>
      source.package === undefined
        ? { kind: 'directory', path: resolve(dirname(file), source.path), required }
        : { kind: 'package', name: source.package, required },
    ),
    defaults,
    settings,
  };
}

interface DistributionDocument {
  readonly plugins: readonly ({ readonly required?: boolean } & (
    { readonly package: string } | { readonly package?: undefined; readonly path: string }
  ))[];
  readonly defaults?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, Settings>>;
}

/**
 * The file's text, or nothing where there is no file. A distribution decides which code runs, so a file that anybody
 * may change decides nothing.
 */
async function readTrusted(file: string): Promise<string | undefined> {
  try {
    await using handle = await open(file);
    const { mode } = await handle.stat();
    if (process.platform !== 'win32' && (mode & 0o002) !== 0) {
      throw invalid(file, 'every user may write to it', { hint: `chmod o-w ${file}` });
    }
    return await handle.readFile('utf8');
  } catch (cause) {
    if (isBoxError(cause)) throw cause;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw invalid(file, 'it cannot be read', { cause });
  }
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(file, `it is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function invalid(file: string, reason: string, options: BoxErrorOptions = {}): BoxError {
  return new BoxError('DISTRIBUTION_INVALID', `distribution file ${file}: ${reason}`, {
    hint: 'correct the file (docs/plugin-authors.md, section Distribution file)',
    ...options,
  });
}
