import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import type { PluginSource } from './distribution.js';
import { LeaveOut, type PluginFault } from './plugin-fault.js';
import { readManifest, type PluginManifest } from './plugin-manifest.js';

/** One line of a distribution's list, looked up: a manifest, or why there is none. */
export type Discovered = { readonly required: boolean } & (
  | { readonly kind: 'found'; readonly manifest: PluginManifest }
  | { readonly kind: 'faulted'; readonly fault: PluginFault }
);

/**
 * Finds the plugins of a list and reads their manifests. Runs none of their code.
 *
 * @param resolveFrom directories from which package names are resolved as Node.js does; the first that has one counts
 * @returns one entry for each source, in the same order
 */
export async function discoverPlugins(
  sources: readonly PluginSource[],
  resolveFrom: readonly string[],
): Promise<readonly Discovered[]> {
  return await Promise.all(sources.map((source) => discover(source, resolveFrom)));
}

async function discover(source: PluginSource, resolveFrom: readonly string[]): Promise<Discovered> {
  const { required } = source;
  try {
    const directory = source.kind === 'directory' ? source.path : packageDirectory(source.name, resolveFrom);
    return { required, kind: 'found', manifest: await readManifest(directory) };
  } catch (error) {
    if (error instanceof LeaveOut) return { required, kind: 'faulted', fault: error.fault };
    throw error;
  }
}

function packageDirectory(name: string, resolveFrom: readonly string[]): string {
  for (const directory of resolveFrom) {
    const file = packageFile(name, directory);
    if (file !== undefined) return dirname(file);
  }
  throw new LeaveOut('not-found', name, {
    problem: 'no such package is installed',
    hint: 'install it, or take it out of the distribution file',
    details: { resolveFrom },
  });
}

function packageFile(name: string, directory: string): string | undefined {
  try {
    return findPackageJSON(name, join(directory, 'package.json'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
