import { readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, isAbsolute } from 'node:path';
import { PLUGIN_API_VERSION } from '../ports/plugin.js';
import { LeaveOut } from './plugin-fault.js';
import { schemaProblems } from './schema-problems.js';
import { pluginManifest } from './schema-validators.gen.js';

/** A service that a plugin gives: its port's id, and the provider's name. */
export interface ProvidedPort {
  readonly port: string;
  readonly name: string;
}

/** A service that a plugin needs: its port's id and the provider's name; without a name the port's default. */
export interface RequiredPort {
  readonly port: string;
  readonly name?: string;
}

/** What a package says of itself, read without running its code. All paths are absolute and inside the package. */
export interface PluginManifest {
  readonly name: string;
  readonly version: string;
  readonly directory: string;
  readonly module: string;
  readonly provides: readonly ProvidedPort[];
  readonly requires: readonly RequiredPort[];
  /** File with the JSON schema of the plugin's settings; without one it takes none. */
  readonly settingsSchema?: string;
  /** Systems that it has a place on, such as `linux` or `linux-x64`; absent for all. */
  readonly platforms?: readonly string[];
}

/** The `a3sBox` section (core/schema/plugin-manifest.schema.json). */
interface ManifestSection {
  readonly apiVersion: number;
  readonly plugin: string;
  readonly provides: readonly ProvidedPort[];
  readonly requires?: readonly RequiredPort[];
  readonly settings?: string;
  readonly platforms?: readonly string[];
}

/**
 * Reads the manifest of the package in a directory.
 * @throws LeaveOut for what is no plugin of this API version, with every problem of its manifest
 */
export async function readManifest(place: string): Promise<PluginManifest> {
  const directory = await realpath(place).catch((cause: unknown) => {
    const problem = 'the directory cannot be read';
    throw new LeaveOut('not-found', place, { problem, hint: 'check the path', cause });
  });
  const { name, version, section } = await readPackage(directory);
  checkApiVersion(name, section);
  const problems = schemaProblems(pluginManifest, section, 'a3sBox');
  if (problems.length > 0) {
    throw new LeaveOut('manifest', name, {
      problem: `its manifest is wrong: ${problems.join('; ')}`,
      hint: 'correct the a3sBox section of its package.json (docs/plugin-authors.md)',
    });
  }
  const { plugin, provides, requires = [], settings, platforms } = section as ManifestSection;
  return {
    name,
    version,
    directory,
    module: await fileInside(name, directory, plugin),
    provides,
    requires,
    ...(settings === undefined ? {} : { settingsSchema: await fileInside(name, directory, settings) }),
    ...(platforms === undefined ? {} : { platforms }),
  };
}

async function readPackage(directory: string): Promise<{ name: string; version: string; section: object }> {
  const file = join(directory, 'package.json');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new LeaveOut('not-found', directory, { problem: 'it has no readable package.json', hint: NO_PACKAGE, cause });
  });
  const document = parseObject(text);
  const name = document?.['name'];
  const version = document?.['version'];
  if (typeof name !== 'string' || typeof version !== 'string') {
    throw new LeaveOut('manifest', directory, {
      problem: `${file} is no package.json with name and version`,
      hint: NO_PACKAGE,
    });
  }
  const section = document?.['a3sBox'];
  if (typeof section !== 'object' || section === null) {
    const problem = 'its package.json has no a3sBox section';
    throw new LeaveOut('manifest', name, { problem, hint: 'name a package that is a plugin' });
  }
  return { name, version, section };
}

const NO_PACKAGE = 'name the directory of an npm package that is a plugin';

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Comes before the schema, which is that of one API version. */
function checkApiVersion(name: string, section: object): void {
  const version: unknown = 'apiVersion' in section ? section.apiVersion : undefined;
  if (typeof version !== 'number' || version === PLUGIN_API_VERSION) return;
  const hint =
    version > PLUGIN_API_VERSION
      ? `update A3S Box, or install a release of "${name}" for apiVersion ${PLUGIN_API_VERSION}`
      : `install a release of "${name}" for apiVersion ${PLUGIN_API_VERSION}`;
  const problem = `it was written for apiVersion ${version}, and this A3S Box has ${PLUGIN_API_VERSION}`;
  throw new LeaveOut('api-version', name, { problem, hint });
}

/** A link inside the package that leads out of it is refused as a path with `..` is. */
async function fileInside(name: string, directory: string, path: string): Promise<string> {
  const wrong = (what: string, cause?: unknown): LeaveOut =>
    new LeaveOut('manifest', name, {
      problem: `its manifest names ${path}, which ${what}`,
      hint: 'build or reinstall the package',
      cause,
    });
  const file = await realpath(join(directory, path)).catch((cause: unknown) => {
    throw wrong('is not there', cause);
  });
  const inside = relative(directory, file);
  if (inside.startsWith('..') || isAbsolute(inside)) throw wrong('lies outside the package');
  if (!(await stat(file)).isFile()) throw wrong('is no file');
  return file;
}
