import { BoxError, type BoxErrorOptions } from '../errors/box-error.js';
import type { ErrorCode } from '../errors/error-table.js';

/** What can be wrong with a plugin or with the wiring of plugins, in the order in which it is looked for. */
export type FaultKind =
  | 'not-found'
  | 'manifest'
  | 'api-version'
  | 'duplicate'
  | 'missing-provider'
  | 'cycle'
  | 'settings'
  | 'distribution'
  | 'load'
  | 'disagreement'
  | 'activation'
  | 'timeout'
  /** A plugin that it needs was left out. */
  | 'dependency';

/** Stands for the name of a plugin in faults of the distribution itself. */
export const DISTRIBUTION = 'distribution';

/** One fault that left one plugin (or one line of the distribution) out. */
export interface PluginFault {
  readonly kind: FaultKind;
  /** The plugin's package name; its place where the name is not known; {@link DISTRIBUTION} for the distribution itself. */
  readonly plugin: string;
  /** Message and hint for the user; `details` repeat kind and plugin. */
  readonly error: BoxError;
}

const CODES: Readonly<Partial<Record<FaultKind, ErrorCode>>> = {
  distribution: 'DISTRIBUTION_INVALID',
  load: 'PLUGIN_FAILED',
  activation: 'PLUGIN_FAILED',
  timeout: 'PLUGIN_FAILED',
  dependency: 'PLUGIN_FAILED',
};

/** What happened to a plugin, and what its user can do. */
export interface FaultDescription extends BoxErrorOptions {
  /** Follows the plugin's name, as in `plugin "x": <problem>`. */
  readonly problem: string;
  readonly hint: string;
}

/** Makes a fault whose error carries the kind's code. */
export function pluginFault(
  kind: FaultKind,
  plugin: string,
  { problem, hint, cause, details }: FaultDescription,
): PluginFault {
  const subject = plugin === DISTRIBUTION ? plugin : `plugin "${plugin}"`;
  const error = new BoxError(CODES[kind] ?? 'PLUGIN_INVALID', `${subject}: ${problem}`, {
    hint,
    cause,
    details: { ...details, plugin, kind },
  });
  return { kind, plugin, error };
}

/** Thrown inside the kernel to leave a plugin out; never seen outside it. */
export class LeaveOut extends BoxError {
  readonly fault: PluginFault;

  constructor(kind: FaultKind, plugin: string, description: FaultDescription) {
    const fault = pluginFault(kind, plugin, description);
    super(fault.error.code, fault.error.message, { cause: fault.error });
    this.fault = fault;
  }
}

/** Names in quotes with commas, or `none`. */
export function quoteList(names: Iterable<string>): string {
  return [...names].map((name) => `"${name}"`).join(', ') || 'none';
}
