import { readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, isAbsolute } from 'node:path';
import { PLUGIN_API_VERSION } from '../ports/plugin.js';
import { LeaveOut, pluginFault, type FaultKind } from './plugin-fault.js';
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
    throw leaveOut('not-found', place, `plugin "${place}": the directory cannot be read`, 'check the path', cause);
  });
  const { name, version, section } = await readPackage(directory);
  checkApiVersion(name, section);
  const problems = schemaProblems(pluginManifest, section, 'a3sBox');
  if (problems.length > 0) {
    throw leaveOut('manifest', name, `plugin "${name}": its manifest is wrong: ${problems.join('; ')}`, CORRECT_IT);
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

const CORRECT_IT = 'correct the a3sBox section of its package.json (docs/plugin-authors.md)';

async function readPackage(directory: string): Promise<{ name: string; version: string; section: object }> {
  const file = join(directory, 'package.json');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw leaveOut('not-found', directory, `plugin "${directory}": it has no readable package.json`, NO_PACKAGE, cause);
  });
  const document = parseObject(text);
  const name = document?.['name'];
  const version = document?.['version'];
  if (typeof name !== 'string' || typeof version !== 'string') {
    throw leaveOut(
      'manifest',
      directory,
      `plugin "${directory}": ${file} is no package.json with name and version`,
      NO_PACKAGE,
    );
  }
  const section = document?.['a3sBox'];
  if (typeof section !== 'object' || section === null) {
    throw leaveOut(
      'manifest',
      name,
      `plugin "${name}": its package.json has no a3sBox section`,
      'name a package that is a plugin',
    );
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
  const message = `plugin "${name}": it was written for apiVersion ${version}, and this A3S Box has ${PLUGIN_API_VERSION}`;
  throw leaveOut('api-version', name, message, hint);
}

/** A link inside the package that leads out of it is refused as a path with `..` is. */
async function fileInside(name: string, directory: string, path: string): Promise<string> {
  const file = await realpath(join(directory, path)).catch((cause: unknown) => {
    throw leaveOut(
      'manifest',
      name,
      `plugin "${name}": its manifest names ${path}, which is not there`,
      REINSTALL,
      cause,
    );
  });
  const inside = relative(directory, file);
  if (inside.startsWith('..') || isAbsolute(inside)) {
    throw leaveOut(
      'manifest',
      name,
      `plugin "${name}": its manifest names ${path}, which lies outside the package`,
      REINSTALL,
    );
  }
  if (!(await stat(file)).isFile()) {
    throw leaveOut('manifest', name, `plugin "${name}": its manifest names ${path}, which is no file`, REINSTALL);
  }
  return file;
}

const REINSTALL = 'build or reinstall the package';

function leaveOut(kind: FaultKind, plugin: string, message: string, hint: string, cause?: unknown): LeaveOut {
  return new LeaveOut(pluginFault(kind, plugin, message, { hint, cause }));
}
