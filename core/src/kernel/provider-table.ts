import type { RequiredPort } from './plugin-manifest.js';

/** What was found for a requirement. */
export type Lookup<T> =
  | { readonly kind: 'found'; readonly name: string; readonly provider: T }
  /** Nobody provides it; `wanted` is the name that was looked for, when one was. */
  | { readonly kind: 'missing'; readonly wanted?: string; readonly offered: readonly string[] }
  /** Several provide the port, and no default says which is meant. */
  | { readonly kind: 'ambiguous'; readonly offered: readonly string[] };

/** Providers by port and name, and which one is meant where no name is given. */
export class ProviderTable<T> {
  readonly #ports = new Map<string, Map<string, T>>();
  readonly #defaults: Readonly<Record<string, string>>;

  /** @param defaults name of the default provider, by port id */
  constructor(defaults: Readonly<Record<string, string>>) {
    this.#defaults = defaults;
  }

  /** @returns whoever has this port and name already; then nothing was added */
  add(port: string, name: string, provider: T): T | undefined {
    const providers = this.#ports.get(port) ?? new Map<string, T>();
    this.#ports.set(port, providers);
    const holder = providers.get(name);
    if (holder === undefined) providers.set(name, provider);
    return holder;
  }

  /** The port's providers by name, in the order of their addition. */
  all(port: string): ReadonlyMap<string, T> {
    return this.#ports.get(port) ?? new Map();
  }

  /**
   * The named provider; without a name the default one; without a default the only one. A default that nobody provides
   * is missing: no other takes its place.
   */
  find({ port, name }: RequiredPort): Lookup<T> {
    const providers = this.all(port);
    const offered = [...providers.keys()];
    const byDefault = Object.hasOwn(this.#defaults, port) ? this.#defaults[port] : undefined;
    const wanted = name ?? byDefault ?? (offered.length === 1 ? offered[0] : undefined);
    if (wanted === undefined)
      return offered.length === 0 ? { kind: 'missing', offered } : { kind: 'ambiguous', offered };
    const provider = providers.get(wanted);
    return provider === undefined ? { kind: 'missing', wanted, offered } : { kind: 'found', name: wanted, provider };
  }
}
