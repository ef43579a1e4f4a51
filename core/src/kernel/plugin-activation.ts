import { pathToFileURL } from 'node:url';
import { isBoxError } from '../errors/box-error.js';
import type { Logger } from '../ports/logger.js';
import { isSkipPlugin, type Plugin, type Provision, type Requirement } from '../ports/plugin.js';
import { LeaveOut, quoteList, type FaultKind } from './plugin-fault.js';
import type { PluginManifest, ProvidedPort, RequiredPort } from './plugin-manifest.js';
import type { Settings } from './plugin-settings.js';
import { TimeLimitExceeded, withinTimeLimit } from './time-limit.js';

/** A plugin that was activated. The owner disposes of it once, after everything that uses its services. */
export interface ActivePlugin {
  readonly manifest: PluginManifest;
  readonly services: readonly (ProvidedPort & { readonly service: unknown })[];
  /** Rejects with what the plugin's own `dispose` threw. */
  dispose(): Promise<void>;
}

export interface ActivationOptions {
  readonly settings: Settings;
  readonly stateDirectory: string;
  /** Carries the plugin's name. */
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** For loading and activating together, in milliseconds. */
  readonly limitMs: number;
  /** The service that was chosen for a requirement of the manifest. */
  readonly serviceFor: (requirement: RequiredPort) => unknown;
}

/**
 * Loads a plugin's module, checks that it says what the manifest says, and activates it.
 *
 * @throws LeaveOut when the plugin fails in any of this @throws SkipPlugin from the plugin
 * @throws unknown the signal's reason when it fired
 */
export async function activatePlugin(manifest: PluginManifest, options: ActivationOptions): Promise<ActivePlugin> {
  const { logger, signal, limitMs } = options;
  try {
    return await withinTimeLimit((stop) => loadAndActivate(manifest, { ...options, signal: stop }), {
      limitMs,
      signal,
      onLate: (outcome) => void discard(outcome, logger),
    });
  } catch (error) {
    if (error instanceof LeaveOut || isSkipPlugin(error) || signal.aborted) throw error;
    if (error instanceof TimeLimitExceeded) {
      throw leaveOut('timeout', manifest, { problem: `it did not activate within ${limitMs} ms`, cause: error });
    }
    throw leaveOut('activation', manifest, { problem: `activation failed: ${messageOf(error)}`, cause: error });
  }
}

async function loadAndActivate(manifest: PluginManifest, options: ActivationOptions): Promise<ActivePlugin> {
  const plugin = await load(manifest);
  checkAgreement(manifest, plugin);
  const { logger, signal, stateDirectory, settings } = options;
  const required = Object.entries(plugin.requires).map(([key, requirement]) => {
    return [key, options.serviceFor(asRequired(requirement))] as const;
  });
  const activation = await plugin.activate({ logger, signal, stateDirectory, settings }, Object.fromEntries(required));
  const problem = problemOf(plugin, activation);
  if (problem !== undefined) {
    await activation?.dispose?.();
    throw leaveOut('activation', manifest, { problem: `its activation gave ${problem}` });
  }
  return {
    manifest,
    services: Object.entries(plugin.provides).map(([key, provision]) => ({
      ...asProvided(provision),
      service: activation.services[key],
    })),
    dispose: async () => await activation.dispose?.(),
  };
}

/** What is wrong with the result of `activate`, which was perhaps not written in TypeScript. */
function problemOf({ provides }: Plugin, activation: Partial<PluginActivation> | undefined): string | undefined {
  const services = activation?.services;
  if (typeof services !== 'object' || services === null) return 'no services object';
  const absent = Object.entries(provides).filter(([key]) => services[key] === undefined || services[key] === null);
  if (absent.length > 0) return `no service for ${absent.map(([, it]) => describeProvided(asProvided(it))).join(', ')}`;
  const undeclared = Object.keys(services).filter((key) => !Object.hasOwn(provides, key));
  return undeclared.length === 0 ? undefined : `services that it does not declare: ${quoteList(undeclared)}`;
}

type PluginActivation = Awaited<ReturnType<Plugin['activate']>>;

async function load(manifest: PluginManifest): Promise<Plugin> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(manifest.module).href)) as { readonly default?: unknown };
  } catch (cause) {
    throw leaveOut('load', manifest, { problem: `its module cannot be loaded: ${messageOf(cause)}`, cause });
  }
  if (isPlugin(module.default)) return module.default;
  throw leaveOut('load', manifest, {
    problem: 'the default export of its module is no plugin',
    hint: 'export default definePlugin({ provides, requires, activate })',
  });
}

function isPlugin(value: unknown): value is Plugin {
  if (typeof value !== 'object' || value === null) return false;
  const { provides, requires, activate } = value as Partial<Plugin>;
  return isTableOfPorts(provides) && isTableOfPorts(requires) && typeof activate === 'function';
}

function isTableOfPorts(table: unknown): boolean {
  return (
    typeof table === 'object' &&
    table !== null &&
    Object.values(table as Record<string, Partial<Requirement> | undefined>).every(
      (entry) => typeof entry?.port?.id === 'string',
    )
  );
}

/** The manifest decided what the plugin is wired to, so code that says otherwise cannot be run. */
function checkAgreement(manifest: PluginManifest, plugin: Plugin): void {
  const problems = [
    ...differences(
      'provides',
      manifest.provides.map(describeProvided),
      Object.values(plugin.provides).map(asProvided).map(describeProvided),
    ),
    ...differences(
      'requires',
      manifest.requires.map(describeRequired),
      Object.values(plugin.requires).map(asRequired).map(describeRequired),
    ),
  ];
  if (problems.length === 0) return;
  throw leaveOut('disagreement', manifest, {
    problem: `manifest and code disagree: ${problems.join('; ')}`,
    hint: 'make the a3sBox section of its package.json and its definePlugin say the same',
  });
}

function differences(what: string, manifest: readonly string[], code: readonly string[]): readonly string[] {
  const onlyManifest = manifest.filter((entry) => !code.includes(entry));
  const onlyCode = code.filter((entry) => !manifest.includes(entry));
  return [
    ...(onlyManifest.length === 0 ? [] : [`only the manifest ${what} ${onlyManifest.join(', ')}`]),
    ...(onlyCode.length === 0 ? [] : [`only the code ${what} ${onlyCode.join(', ')}`]),
  ];
}

const asProvided = ({ port, name }: Provision): ProvidedPort => ({ port: port.id, name });
const asRequired = ({ port, name }: Requirement): RequiredPort =>
  name === undefined ? { port: port.id } : { port: port.id, name };
const describeProvided = ({ port, name }: ProvidedPort): string => `${port} "${name}"`;
const describeRequired = ({ port, name }: RequiredPort): string => (name === undefined ? port : `${port} "${name}"`);

/** A plugin that came up after it was given up is taken down again. */
async function discard(outcome: PromiseSettledResult<ActivePlugin>, logger: Logger): Promise<void> {
  try {
    if (outcome.status === 'rejected') throw outcome.reason;
    await outcome.value.dispose();
    logger.warn({}, 'plugin activated too late and was disposed of');
  } catch (error) {
    logger.warn({ err: error }, 'plugin failed after it was given up');
  }
}

/** Without a hint of ours the plugin's own counts, where its error has one. */
function leaveOut(
  kind: FaultKind,
  { name, directory }: PluginManifest,
  { problem, hint, cause }: { readonly problem: string; readonly hint?: string; readonly cause?: unknown },
): LeaveOut {
  const ownHint = isBoxError(cause) ? cause.hint : undefined;
  return new LeaveOut(kind, name, {
    problem,
    hint: hint ?? ownHint ?? `see the documentation of "${name}", or take it out of the distribution file`,
    cause,
    details: { directory },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
