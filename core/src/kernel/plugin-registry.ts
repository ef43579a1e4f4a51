import { BoxError } from '../errors/box-error.js';
import type { Port } from '../ports/port.js';
import { quoteList } from './plugin-fault.js';
import type { ProvidedPort, RequiredPort } from './plugin-manifest.js';
import { ProviderTable } from './provider-table.js';

/** Why a provider is not there, with the next thing to do. */
export interface Absence {
  readonly reason: string;
  readonly hint?: string | undefined;
}

export interface RegistryOptions {
  readonly services: readonly (ProvidedPort & { readonly service: unknown })[];
  /** Name of the default provider, by port id. */
  readonly defaults: Readonly<Record<string, string>>;
  /** Says of a provider that is missing why it is, where that is known. */
  readonly explain: (wanted: RequiredPort) => Absence | undefined;
}

/** The services of all active plugins. */
export class PluginRegistry {
  readonly #services: ProviderTable<{ readonly service: unknown }>;
  readonly #defaults: RegistryOptions['defaults'];
  readonly #explain: RegistryOptions['explain'];

  constructor({ services, defaults, explain }: RegistryOptions) {
    this.#services = new ProviderTable(defaults);
    this.#defaults = defaults;
    this.#explain = explain;
    for (const { port, name, service } of services) this.#services.add(port, name, { service });
  }

  /**
   * The named provider of a port; without a name the distribution's default, else the only one. One that was asked for
   * by name or by default is never replaced by another.
   *
   * @throws NOT_FOUND when nobody provides it, with the reason where a plugin was left out
   * @throws INVALID_ARGUMENT when there are several and no default
   */
  get<T>(port: Port<T>, name?: string): T {
    const wanted = name === undefined ? { port: port.id } : { port: port.id, name };
    const found = this.#services.find(wanted);
    // The kernel has checked that the provider was declared for this very port.
    if (found.kind === 'found') return found.provider.service as T;
    if (found.kind === 'ambiguous') {
      throw new BoxError('INVALID_ARGUMENT', `${port.id} has several providers and no default`, {
        hint: `name one of ${quoteList(found.offered)}`,
      });
    }
    const absence = this.#explain(found.wanted === undefined ? wanted : { ...wanted, name: found.wanted });
    const subject = found.wanted === undefined ? port.id : `${port.id} "${found.wanted}"`;
    throw new BoxError('NOT_FOUND', `${subject} is not there: ${absence?.reason ?? 'no plugin provides it'}`, {
      hint: absence?.hint ?? `provided are: ${quoteList(found.offered)}`,
    });
  }

  /** Name that the distribution gives as the port's default, whether it is there or not. */
  defaultName(port: Pick<Port<unknown>, 'id'>): string | undefined {
    return Object.hasOwn(this.#defaults, port.id) ? this.#defaults[port.id] : undefined;
  }

  /** All providers of a port by name, in the distribution's order. */
  all<T>(port: Port<T>): ReadonlyMap<string, T> {
    return new Map([...this.#services.all(port.id)].map(([name, { service }]) => [name, service as T]));
  }
}
