import { DISTRIBUTION, pluginFault, quoteList, type FaultDescription, type PluginFault } from './plugin-fault.js';
import type { PluginManifest, RequiredPort } from './plugin-manifest.js';
import { ProviderTable } from './provider-table.js';
import { findCycle, inDependencyOrder, type Wire, type WiredPlugin } from './wired-plugin.js';

/** A plugin that has no place on this machine; no fault. */
export interface SkippedPlugin {
  readonly manifest: PluginManifest;
  readonly reason: string;
}

export interface PluginGraph {
  /** What can be activated, providers before those who need them. */
  readonly order: readonly WiredPlugin[];
  readonly skipped: readonly SkippedPlugin[];
  /** Everything that is wrong. */
  readonly faults: readonly PluginFault[];
}

export interface GraphOptions {
  /** In order of precedence. */
  readonly manifests: readonly PluginManifest[];
  /** Name of the default provider, by port id. */
  readonly defaults: Readonly<Record<string, string>>;
  /** This system as Node.js names it, for example `linux-x64`. */
  readonly platform: string;
}

/**
 * Decides from manifests alone which plugins can work together: platform, names that are taken, providers that are
 * missing, cycles, defaults that nobody provides. Finds all faults at once. A plugin with a fault is left out, then all
 * that need it; the others stay.
 */
export function wirePlugins({ manifests, defaults, platform }: GraphOptions): PluginGraph {
  const graph = new GraphCheck(defaults);
  for (const manifest of manifests) graph.enter(manifest, platform);
  for (const [port, name] of Object.entries(defaults)) graph.checkDefault(port, name);
  for (const manifest of graph.entered) graph.wire(manifest);
  graph.breakCycles();
  graph.leaveOutDependents();
  return { order: inDependencyOrder(graph.wired), skipped: graph.skipped, faults: graph.faults };
}

/** The state of one check; its steps are called in the order in which they stand here. */
class GraphCheck {
  readonly entered: PluginManifest[] = [];
  readonly skipped: SkippedPlugin[] = [];
  readonly faults: PluginFault[] = [];
  /** By plugin name; what is left out leaves. */
  readonly wired = new Map<string, WiredPlugin>();
  readonly #providers: ProviderTable<PluginManifest>;
  readonly #packages = new Map<string, PluginManifest>();
  /** By port and name, who would provide it but does not take part. */
  readonly #absent = new ProviderTable<PluginManifest>({});

  constructor(defaults: Readonly<Record<string, string>>) {
    this.#providers = new ProviderTable(defaults);
  }

  enter(manifest: PluginManifest, platform: string): void {
    if (this.#isRepeated(manifest)) return;
    if (!fitsPlatform(manifest, platform)) {
      const reason = `it is for ${manifest.platforms?.join(', ') || 'no platform'}, and this is ${platform}`;
      this.skipped.push({ manifest, reason });
      this.#noteAbsent(manifest);
    } else if (this.#takesFreeNames(manifest)) {
      for (const { port, name } of manifest.provides) this.#providers.add(port, name, manifest);
      this.entered.push(manifest);
    }
  }

  #isRepeated(manifest: PluginManifest): boolean {
    const first = this.#packages.get(manifest.name);
    if (first === undefined) {
      this.#packages.set(manifest.name, manifest);
      return false;
    }
    const problem = `it is listed twice, in ${first.directory} and ${manifest.directory}`;
    this.#fault('duplicate', manifest, { problem, hint: 'list it once; the first one is in use' });
    return true;
  }

  #takesFreeNames(manifest: PluginManifest): boolean {
    const own = new Set<string>();
    const taken = manifest.provides.flatMap(({ port, name }) => {
      const holder = own.has(`${port} ${name}`) ? manifest : this.#providers.all(port).get(name);
      own.add(`${port} ${name}`);
      return holder === undefined ? [] : [`${port} "${name}" is provided by "${holder.name}" already`];
    });
    if (taken.length === 0) return true;
    const hint = 'take one of the two out of the distribution file; the first one is in use';
    this.#fault('duplicate', manifest, { problem: taken.join('; '), hint });
    return false;
  }

  checkDefault(port: string, name: string): void {
    const providers = this.#providers.all(port);
    if (providers.has(name)) return;
    const problem = `the default of ${port} is "${name}", which ${this.#whyNot({ port, name })}`;
    const hint = `provided are: ${quoteList(providers.keys())}`;
    this.faults.push(pluginFault('distribution', DISTRIBUTION, { problem, hint }));
  }

  wire(manifest: PluginManifest): void {
    const wires: Wire[] = [];
    const before = this.faults.length;
    for (const requirement of manifest.requires) {
      const found = this.#providers.find(requirement);
      if (found.kind === 'found') {
        wires.push({ ...requirement, provider: found.provider, providerName: found.name });
        continue;
      }
      const { port } = requirement;
      const why =
        found.kind === 'ambiguous'
          ? 'has several providers and no default'
          : this.#whyNot(found.wanted === undefined ? { port } : { port, name: found.wanted });
      const what = found.kind === 'missing' && found.wanted !== undefined ? `${port} "${found.wanted}"` : port;
      const hint =
        found.kind === 'ambiguous'
          ? `name a default for ${port} in the distribution file: ${quoteList(found.offered)}`
          : `add a plugin that provides ${what}; provided are: ${quoteList(found.offered)}`;
      this.#fault('missing-provider', manifest, { problem: `it needs ${what}, which ${why}`, hint });
    }
    if (this.faults.length === before) this.wired.set(manifest.name, { manifest, wires });
    else this.#noteAbsent(manifest);
  }

  breakCycles(): void {
    const cycles = [...this.wired.values()].flatMap((plugin) => {
      const cycle = findCycle(plugin, this.wired);
      return cycle === undefined ? [] : [cycle];
    });
    for (const cycle of cycles) {
      const [first] = cycle;
      const path = [...cycle, first].map(({ manifest }) => `"${manifest.name}"`).join(' needs ');
      const hint = 'use only some of them';
      this.#fault('cycle', first.manifest, { problem: `it needs itself: ${path}`, hint });
    }
    for (const [{ manifest }] of cycles) this.wired.delete(manifest.name);
  }

  leaveOutDependents(): void {
    let before: number;
    do {
      before = this.wired.size;
      for (const { manifest, wires } of [...this.wired.values()]) {
        const broken = wires.find(({ provider }) => !this.wired.has(provider.name));
        if (broken === undefined) continue;
        this.wired.delete(manifest.name);
        this.faults.push(dependencyFault(manifest, broken, 'was left out'));
      }
    } while (this.wired.size < before);
  }

  #whyNot({ port, name }: RequiredPort): string {
    const absent = name === undefined ? [...this.#absent.all(port).values()][0] : this.#absent.all(port).get(name);
    return absent === undefined ? 'no plugin provides' : `plugin "${absent.name}" would provide, but it was left out`;
  }

  #fault(kind: PluginFault['kind'], { name, directory }: PluginManifest, description: FaultDescription): void {
    this.faults.push(pluginFault(kind, name, { ...description, details: { directory } }));
  }

  #noteAbsent(manifest: PluginManifest): void {
    for (const { port, name } of manifest.provides) this.#absent.add(port, name, manifest);
  }
}

/** The fault of a plugin whose provider is not there. */
export function dependencyFault(manifest: PluginManifest, wire: Wire, why: string): PluginFault {
  const needed = `${wire.port} "${wire.providerName}" of plugin "${wire.provider.name}"`;
  return pluginFault('dependency', manifest.name, {
    problem: `it needs ${needed}, which ${why}`,
    hint: `see what is said of "${wire.provider.name}"`,
    details: { directory: manifest.directory, because: wire.provider.name },
  });
}

function fitsPlatform({ platforms }: PluginManifest, platform: string): boolean {
  return platforms === undefined || platforms.some((fit) => platform === fit || platform.startsWith(`${fit}-`));
}
