import type { Logger } from './logger.js';
import type { Port } from './port.js';

/** Level of the plugin interface that this core speaks (`a3sBox.apiVersion` in a plugin's package.json). */
export const PLUGIN_API_VERSION = 1;

/** One service that a plugin gives: a port under a name that is unique among the port's providers. */
export interface Provision<T = unknown> {
  readonly port: Port<T>;
  readonly name: string;
}

/** One port that a plugin needs: the named provider, or the distribution's default. */
export interface Requirement<T = unknown> {
  readonly port: Port<T>;
  readonly name?: string;
}

/** What the host hands to a plugin at activation. */
export interface PluginContext {
  /** Carries the plugin's name. */
  readonly logger: Logger;
  /** A directory of the plugin's own below the home, made with mode 0700 before activation. Absolute path. */
  readonly stateDirectory: string;
  /** The plugin's settings after the distribution's and the user's were merged and checked against its schema. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Fires when activation takes too long or is called off. An active plugin is stopped by its `dispose` alone. */
  readonly signal: AbortSignal;
}

/** Ports by the key under which a plugin's code speaks of them. */
export type PortsByKey = Readonly<Record<string, { readonly port: Port<never> }>>;
export type Provisions = Readonly<Record<string, Provision<never>>>;
export type Requirements = Readonly<Record<string, Requirement<never>>>;

/** One service for each key, of the type that its port's contract says. */
export type Services<P extends PortsByKey> = {
  readonly [K in keyof P]: P[K] extends { readonly port: Port<infer T> } ? T : never;
};

/** What `activate` returns. */
export interface Activation<P extends Provisions> {
  /** One service for each provision, under the same keys. */
  readonly services: Services<P>;
  /** Undoes the activation. Called once, after everything that uses the services has stopped. */
  dispose?(): Promise<void>;
}

export interface PluginDefinition<P extends Provisions, R extends Requirements> {
  readonly provides: P;
  readonly requires: R;
  /**
   * Makes the services. Importing the plugin's module must not open anything; this may.
   * @throws SkipPlugin when the plugin has no place on this machine
   */
  activate(context: PluginContext, required: Services<NoInfer<R>>): Promise<Activation<NoInfer<P>>>;
}

/** A plugin as a host sees it. */
export interface Plugin {
  readonly provides: Readonly<Record<string, Provision>>;
  readonly requires: Readonly<Record<string, Requirement>>;
  activate(
    context: PluginContext,
    required: Readonly<Record<string, unknown>>,
  ): Promise<{
    readonly services: Readonly<Record<string, unknown>>;
    dispose?(): Promise<void>;
  }>;
}

/**
 * The value that a plugin's module exports by default.
 *
 * @example
 * export default definePlugin({
 *   provides: { hypervisor: { port: HypervisorPort, name: 'qemu' } },
 *   requires: {},
 *   async activate(context) {
 *     return { services: { hypervisor: new QemuHypervisor(context.logger) } };
 *   },
 * });
 */
export function definePlugin<const P extends Provisions, const R extends Requirements>(
  definition: PluginDefinition<P, R>,
): Plugin {
  return Object.freeze(definition) as unknown as Plugin;
}

const SKIP = Symbol.for('a3s-box.skip-plugin.v1');

/** Thrown by `activate` when there is nothing wrong, but no place for the plugin on this machine. */
export class SkipPlugin extends Error {
  /** @param reason one sentence for the user, for example `needs Linux 6.9 or newer` */
  constructor(readonly reason: string) {
    super(reason);
    this.name = 'SkipPlugin';
    Object.defineProperty(this, SKIP, { value: true });
  }
}

/** Whether a value is a {@link SkipPlugin}, of this copy of the package or another. */
export function isSkipPlugin(value: unknown): value is SkipPlugin {
  return typeof value === 'object' && value !== null && SKIP in value;
}
