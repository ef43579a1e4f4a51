import { BoxError } from '../errors/box-error.js';
import type { ActivePlugin } from './plugin-activation.js';
import type { PluginFault } from './plugin-fault.js';
import type { PluginManifest } from './plugin-manifest.js';
import type { PluginPlan } from './plugin-plan.js';

/** How one plugin fares. */
export type PluginStatus = { readonly name: string } & (
  | { readonly state: 'active'; readonly manifest: PluginManifest }
  | { readonly state: 'skipped'; readonly manifest: PluginManifest; readonly reason: string }
  | { readonly state: 'faulted'; readonly faults: readonly PluginFault[] }
);

/** What became of a plugin that was to be activated. */
export type Outcome =
  | { readonly kind: 'active'; readonly plugin: ActivePlugin }
  | { readonly kind: 'skipped'; readonly manifest: PluginManifest; readonly reason: string }
  | { readonly kind: 'faulted'; readonly fault: PluginFault };

/** One entry for each plugin, in the distribution's order. */
export function statusesOf(
  plan: PluginPlan,
  outcomes: readonly Outcome[],
  faults: readonly PluginFault[],
): readonly PluginStatus[] {
  const active = new Set(outcomes.flatMap((it) => (it.kind === 'active' ? [it.plugin.manifest] : [])));
  const skipped = [...plan.skipped, ...outcomes.filter((it) => it.kind === 'skipped')];
  return plan.discovered.map((entry): PluginStatus => {
    if (entry.kind === 'faulted') return { name: entry.fault.plugin, state: 'faulted', faults: [entry.fault] };
    const { manifest } = entry;
    const { name } = manifest;
    if (active.has(manifest)) return { name, state: 'active', manifest };
    const skip = skipped.find((it) => it.manifest === manifest);
    if (skip !== undefined) return { name, state: 'skipped', manifest, reason: skip.reason };
    return { name, state: 'faulted', faults: faults.filter(({ plugin }) => plugin === name) };
  });
}

/** The error of a start without a plugin that the distribution requires. */
export function requiredMissing(
  { required }: PluginPlan,
  plugins: readonly PluginStatus[],
  faults: readonly PluginFault[],
): BoxError | undefined {
  const missing = plugins.filter(({ name, state }) => required.has(name) && state !== 'active');
  const [first] = missing;
  if (first === undefined) return undefined;
  const reasons = missing.flatMap((it) => {
    if (it.state === 'skipped') return [`plugin "${it.name}" was skipped: ${it.reason}`];
    return it.state === 'faulted' ? it.faults.map(({ error }) => error.message) : [];
  });
  const hint = first.state === 'faulted' ? first.faults[0]?.error.hint : undefined;
  return new BoxError('PLUGIN_FAILED', `required plugins are not active: ${reasons.join('; ')}`, {
    ...(hint === undefined ? {} : { hint }),
    details: {
      faults: faults.map(({ plugin, kind, error }) => ({ plugin, kind, message: error.message, hint: error.hint })),
    },
  });
}
