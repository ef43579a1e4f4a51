import { asBoxError } from '../errors/as-box-error.js';
import { BoxError } from '../errors/box-error.js';
import type { Logger } from '../ports/logger.js';
import { isSkipPlugin } from '../ports/plugin.js';
import { activatePlugin, type ActivePlugin } from './plugin-activation.js';
import { LeaveOut, pluginFault, quoteList, type PluginFault } from './plugin-fault.js';
import { dependencyFault } from './plugin-graph.js';
import type { PluginManifest, ProvidedPort, RequiredPort } from './plugin-manifest.js';
import { planPlugins, type PlanOptions, type PluginPlan } from './plugin-plan.js';
import { requiredMissing, statusesOf, type Outcome, type PluginStatus } from './plugin-status.js';
import { PluginRegistry, type Absence } from './plugin-registry.js';
import { settingsOf } from './plugin-settings.js';
import { makeStateDirectory } from './state-directory.js';
import { withinTimeLimit } from './time-limit.js';
import type { WiredPlugin } from './wired-plugin.js';

export type { PluginStatus } from './plugin-status.js';

export interface PluginHostOptions extends PlanOptions {
  /** Absolute path; each plugin gets a directory of its own in it. */
  readonly stateDirectory: string;
  readonly logger: Logger;
  /** Calls the start off; what was activated by then is disposed of. */
  readonly signal: AbortSignal;
  /** For each plugin to load and activate, which a slow or busy machine may need long for. Default: 60,000 ms. */
  readonly activationLimitMs?: number;
  /** For each plugin to dispose. Default: 5,000 ms. */
  readonly disposalLimitMs?: number;
}

const ACTIVATION_LIMIT_MS = 60_000;
const DISPOSAL_LIMIT_MS = 5_000;

/**
 * The plugins of one process, from start to end. A plugin with a fault is left out together with those that need it;
 * the others run. Whoever started the host disposes of it, after everything that uses the services.
 */
export class PluginHost implements AsyncDisposable {
  /** The services of the active plugins. */
  readonly registry: PluginRegistry;
  /** One entry for each plugin, in the distribution's order. */
  readonly plugins: readonly PluginStatus[];
  /** Everything that is wrong, with the plugins and with the distribution. */
  readonly faults: readonly PluginFault[];
  readonly #active: ActivePlugin[];
  readonly #options: PluginHostOptions;

  private constructor(plan: PluginPlan, outcomes: readonly Outcome[], { active, options }: ActivationState) {
    this.#active = active;
    this.#options = options;
    this.faults = [...plan.faults, ...outcomes.flatMap((it) => (it.kind === 'faulted' ? [it.fault] : []))];
    this.plugins = statusesOf(plan, outcomes, this.faults);
    const services = new Map(active.map(({ manifest, services: given }) => [manifest, given]));
    this.registry = new PluginRegistry({
      services: plan.manifests.flatMap((manifest) => services.get(manifest) ?? []),
      defaults: plan.distribution.defaults,
      explain: (wanted) => this.#explain(plan, wanted),
    });
  }

  /**
   * Reads the manifests, checks how the plugins fit together, then loads and activates those without a fault: each as
   * soon as the plugins that it needs are active.
   *
   * @throws PLUGIN_FAILED when a plugin that the distribution marks as required is not active; details carry all faults
   * @throws CANCELLED when the signal fires. In both cases what was activated has been disposed of.
   */
  static async start(options: PluginHostOptions): Promise<PluginHost> {
    const plan = await planPlugins(options);
    for (const { error } of plan.faults) logFault(options.logger, error);
    const outcomes = new Map<string, Promise<Outcome>>();
    const state: ActivationState = { outcomes, active: [], options };
    for (const plugin of plan.order) outcomes.set(plugin.manifest.name, activateAfter(plugin, state));
    // An outcome rejects only when the start was called off; all of them end before anything is disposed of.
    const settled = await Promise.allSettled(outcomes.values());
    const host = new PluginHost(
      plan,
      settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : [])),
      state,
    );
    const failure = options.signal.aborted
      ? new BoxError('CANCELLED', 'plugins: the start was called off', { cause: options.signal.reason })
      : requiredMissing(plan, host.plugins, host.faults);
    if (failure === undefined) return host;
    await host[Symbol.asyncDispose]();
    throw failure;
  }

  /**
   * Disposes of the plugins one by one, the last that was activated first. What fails or takes too long is logged, and
   * the next one follows. Idempotent.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const limitMs = this.#options.disposalLimitMs ?? DISPOSAL_LIMIT_MS;
    for (let plugin = this.#active.pop(); plugin !== undefined; plugin = this.#active.pop()) {
      const logger = this.#options.logger.child({ plugin: plugin.manifest.name });
      try {
        await withinTimeLimit(() => plugin.dispose(), {
          limitMs,
          onLate: () => logger.warn({}, 'plugin disposed late'),
        });
      } catch (error) {
        logger.error({ err: error }, 'plugin could not be disposed of');
      }
    }
  }

  #explain(plan: PluginPlan, { port, name }: RequiredPort): Absence | undefined {
    const gives = (it: ProvidedPort): boolean => it.port === port && (name === undefined || it.name === name);
    const manifest = plan.manifests.find(({ provides }) => provides.some(gives));
    if (manifest === undefined) return unreadable(plan);
    const status = this.plugins.find((plugin) => plugin.name === manifest.name);
    if (status?.state === 'skipped') return { reason: `plugin "${status.name}" was skipped: ${status.reason}` };
    const [fault] = status?.state === 'faulted' ? status.faults : [];
    return fault && { reason: fault.error.message, hint: fault.error.hint };
  }
}

/** Plugins without a usable manifest may be those that provide it. */
function unreadable({ discovered }: PluginPlan): Absence | undefined {
  const faults = discovered.flatMap((entry) => (entry.kind === 'faulted' ? [entry.fault] : []));
  const [first] = faults;
  if (first === undefined) return undefined;
  const names = quoteList(faults.map(({ plugin }) => plugin));
  return { reason: `no plugin provides it, and left out were ${names}`, hint: first.error.hint };
}

interface ActivationState {
  /** Those of all plugins before this one in order, by name. */
  readonly outcomes: ReadonlyMap<string, Promise<Outcome>>;
  /** In the order in which they became active. */
  readonly active: ActivePlugin[];
  readonly options: PluginHostOptions;
}

async function activateAfter({ manifest, wires }: WiredPlugin, state: ActivationState): Promise<Outcome> {
  const services = new Map<string, unknown>();
  for (const wire of wires) {
    const provider = await state.outcomes.get(wire.provider.name);
    if (provider?.kind !== 'active') {
      const why = provider?.kind === 'skipped' ? `was skipped: ${provider.reason}` : 'was left out';
      return faulted(dependencyFault(manifest, wire, why), state.options.logger);
    }
    const given = provider.plugin.services.find((it) => it.port === wire.port && it.name === wire.providerName);
    services.set(keyOf(wire), given?.service);
  }
  return await activate(manifest, services, state);
}

async function activate(
  manifest: PluginManifest,
  services: ReadonlyMap<string, unknown>,
  { active, options }: ActivationState,
): Promise<Outcome> {
  const logger = options.logger.child({ plugin: manifest.name });
  const { name } = manifest;
  try {
    const locked = options.distribution.settings[name] ?? {};
    const settings = await settingsOf(manifest, { locked, user: options.userSettings?.[name] ?? {} });
    const plugin = await activatePlugin(manifest, {
      settings,
      logger,
      stateDirectory: await makeStateDirectory(options.stateDirectory, name),
      signal: options.signal,
      limitMs: options.activationLimitMs ?? ACTIVATION_LIMIT_MS,
      serviceFor: (requirement) => services.get(keyOf(requirement)),
    });
    active.push(plugin);
    return { kind: 'active', plugin };
  } catch (error) {
    if (isSkipPlugin(error)) {
      logger.info({ reason: error.reason }, 'plugin skipped');
      return { kind: 'skipped', manifest, reason: error.reason };
    }
    if (options.signal.aborted) throw error;
    return faulted(error instanceof LeaveOut ? error.fault : unforeseen(name, error), options.logger);
  }
}

/** Whatever went wrong with one plugin takes down no other. */
function unforeseen(plugin: string, thrown: unknown): PluginFault {
  const { message, hint = 'see the log' } = asBoxError(thrown);
  return pluginFault('activation', plugin, { problem: message, hint, cause: thrown });
}

function keyOf({ port, name }: RequiredPort): string {
  return `${port} ${name ?? ''}`;
}

function faulted(fault: PluginFault, logger: Logger): Outcome {
  logFault(logger, fault.error);
  return { kind: 'faulted', fault };
}

function logFault(logger: Logger, error: BoxError): void {
  logger.warn({ err: error }, 'plugin left out');
}
