import type { PluginManifest, RequiredPort } from './plugin-manifest.js';

/** A requirement with the provider that was chosen for it. */
export interface Wire extends RequiredPort {
  readonly provider: PluginManifest;
  /** The provider's name, also where the requirement has none. */
  readonly providerName: string;
}

/** A plugin that can be activated as soon as its providers are. */
export interface WiredPlugin {
  readonly manifest: PluginManifest;
  readonly wires: readonly Wire[];
}

/** Plugins by name. */
export type WiredPlugins = ReadonlyMap<string, WiredPlugin>;

/** The plugins, each after all that it needs, otherwise in the order of the map. There must be no cycle. */
export function inDependencyOrder(plugins: WiredPlugins): readonly WiredPlugin[] {
  const ordered = new Set<WiredPlugin>();
  const place = (plugin: WiredPlugin): void => {
    if (ordered.has(plugin)) return;
    for (const needed of neededBy(plugin, plugins)) place(needed);
    ordered.add(plugin);
  };
  for (const plugin of plugins.values()) place(plugin);
  return [...ordered];
}

/** The shortest way from a plugin back to itself over what it needs, starting with it; undefined when there is none. */
export function findCycle(
  start: WiredPlugin,
  plugins: WiredPlugins,
): readonly [WiredPlugin, ...WiredPlugin[]] | undefined {
  const seen = new Set<WiredPlugin>();
  const paths: [WiredPlugin, ...WiredPlugin[]][] = [[start]];
  for (const path of paths) {
    for (const needed of neededBy(path.at(-1) ?? start, plugins)) {
      if (needed === start) return path;
      if (!seen.has(needed)) paths.push([...path, needed]);
      seen.add(needed);
    }
  }
  return undefined;
}

function neededBy({ wires }: WiredPlugin, plugins: WiredPlugins): readonly WiredPlugin[] {
  return wires.flatMap(({ provider }) => plugins.get(provider.name) ?? []);
}
