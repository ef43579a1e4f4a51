import type { Distribution } from './distribution.js';
import { discoverPlugins, type Discovered } from './plugin-discovery.js';
import { pluginFault, type PluginFault } from './plugin-fault.js';
import { wirePlugins, type SkippedPlugin } from './plugin-graph.js';
import type { PluginManifest } from './plugin-manifest.js';
import type { Settings } from './plugin-settings.js';
import type { WiredPlugin } from './wired-plugin.js';

export interface PlanOptions {
  readonly distribution: Distribution;
  /** Directories (absolute) from which package names are resolved as Node.js does; the first that has one counts. */
  readonly resolveFrom: readonly string[];
  /** The user's settings, by plugin. */
  readonly userSettings?: Readonly<Record<string, Settings>>;
  /** This system as Node.js names it. Default: the one that runs. */
  readonly platform?: string;
}

/** Which plugins are to be activated, in which order, and what is wrong with the others. */
export interface PluginPlan {
  readonly distribution: Distribution;
  /** What the distribution lists, in its order. */
  readonly discovered: readonly Discovered[];
  /** Those with a usable manifest. */
  readonly manifests: readonly PluginManifest[];
  /** What is to be activated, providers before those who need them. */
  readonly order: readonly WiredPlugin[];
  readonly skipped: readonly SkippedPlugin[];
  /** Everything that is wrong. */
  readonly faults: readonly PluginFault[];
  /** Plugins (as faults name them) without which nothing starts. */
  readonly required: ReadonlySet<string>;
}

/** Looks at a distribution's plugins without running any of their code, and tells everything that is wrong. */
export async function planPlugins(options: PlanOptions): Promise<PluginPlan> {
  const { distribution, resolveFrom, userSettings = {}, platform = `${process.platform}-${process.arch}` } = options;
  const discovered = await discoverPlugins(distribution.plugins, resolveFrom);
  const manifests = discovered.flatMap((entry) => (entry.kind === 'found' ? [entry.manifest] : []));
  const unusable = discovered.flatMap((entry) => (entry.kind === 'faulted' ? [entry.fault] : []));
  const graph = wirePlugins({ manifests, defaults: distribution.defaults, platform });
  const named = discovered.map((entry) => ({
    name: entry.kind === 'found' ? entry.manifest.name : entry.fault.plugin,
    required: entry.required,
  }));
  const names = new Set(named.map(({ name }) => name));
  return {
    distribution,
    discovered,
    manifests,
    order: graph.order,
    skipped: graph.skipped,
    faults: [
      ...unusable,
      ...graph.faults,
      ...unusedSettings('distribution', distribution.settings, names),
      ...unusedSettings('settings', userSettings, names),
    ],
    required: new Set(named.flatMap(({ name, required }) => (required ? [name] : []))),
  };
}

function unusedSettings(
  kind: 'distribution' | 'settings',
  settings: Readonly<Record<string, Settings>>,
  names: ReadonlySet<string>,
): readonly PluginFault[] {
  const source = kind === 'distribution' ? 'the distribution file' : 'your settings';
  return Object.keys(settings)
    .filter((name) => !names.has(name))
    .map((name) => {
      const problem = `${source} set something for it, but it is not among the plugins`;
      return pluginFault(kind, name, { problem, hint: `correct the name in ${source}, or add the plugin` });
    });
}
